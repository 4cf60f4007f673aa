"""Guards the division of pairs: what belongs together is in one split, labels are balanced."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuning.data.division import divide, draw_folds, find_components
from tuning.data.pairs import PairTable

FRACTIONS = (0.7, 0.15, 0.15)
LONG = "a heap keeps its smallest item on top of the others"


def table(*rows: tuple[Any, ...]) -> PairTable:
    """Return a table of rows: first text, second text, group."""
    firsts, seconds, groups = zip(*rows, strict=True)
    return PairTable(
        first=list(firsts),
        second=list(seconds),
        labels=np.arange(len(rows)) % 2,
        votes=np.zeros(len(rows), dtype=np.float32),
        groups=list(groups),
        lines=list(range(2, 2 + len(rows))),
    )


@pytest.mark.parametrize(
    ("other", "tied"),
    [
        (("a", "c", ""), True),
        (("c", "a", ""), True),
        (("c", "A!", ""), True),
        (("c", "d", "topic"), True),
        (("c", "d", ""), False),
        (("c", "d", "another"), False),
    ],
)
def test_pairs_with_a_group_or_a_text_in_common_belong_together(
    other: tuple[str, str, str], tied: bool
) -> None:
    found = find_components(table(("a", "b", "topic"), ("x", "y", ""), other))
    assert (found.of_pairs[0] == found.of_pairs[2]) == tied
    assert found.of_pairs[0] != found.of_pairs[1]


def test_what_was_tied_is_counted() -> None:
    found = find_components(
        table(
            ("a", "b", "one"),
            ("a", "c", "two"),
            (LONG, "d", ""),
            ("e", f"{LONG} too", ""),
            ("f", "f", "three"),
        )
    )
    assert sorted(found.sizes) == [1, 2, 2]
    assert (found.repeated_texts, found.similar_texts) == (1, 2)
    assert (found.groups, found.tied_groups) == (3, 2)


@given(
    sizes=st.lists(st.integers(1, 6), min_size=40, max_size=80),
    share=st.sampled_from([0.1, 0.5, 0.8]),
    seed=st.integers(0, 3),
)
def test_no_component_is_divided_and_sizes_and_labels_are_as_asked(
    sizes: list[int], share: float, seed: int
) -> None:
    components = np.repeat(np.arange(len(sizes)), sizes)
    labels = (np.random.default_rng(seed).random(len(components)) < share).astype(int)
    labels[:2] = (0, 1)
    chosen = divide(components, labels, FRACTIONS, seed)
    for component in range(len(sizes)):
        assert len(set(chosen[components == component])) == 1
    for split, fraction in enumerate(FRACTIONS):
        own = labels[chosen == split]
        assert abs(len(own) - fraction * len(labels)) <= 6
        assert abs(own.sum() - fraction * labels.sum()) <= 6


def test_a_seed_repeats_the_division_and_another_gives_another() -> None:
    components, labels = np.arange(200), np.arange(200) % 2
    first, again, other = (divide(components, labels, FRACTIONS, seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    assert np.bincount(first).tolist() == [140, 30, 30]
    assert np.bincount(first, weights=labels).tolist() == [70, 15, 15]


def test_folds_hold_whole_components_and_equally_many_pairs_of_each_label() -> None:
    components = np.repeat(np.arange(60), np.arange(60) % 4 + 1)
    labels = np.arange(len(components)) % 2
    folds = draw_folds(components, labels, 5, [0, 3])
    assert all(len(set(folds[components == component])) == 1 for component in range(60))
    assert np.ptp(np.bincount(folds)) <= 2
    assert np.ptp(np.bincount(folds, weights=labels)) <= 2


def test_folds_are_others_for_another_trial_and_the_same_for_the_same() -> None:
    components, labels = np.arange(300) // 3, np.arange(300) % 2
    first, again, other, seeded = (
        draw_folds(components, labels, 5, seed) for seed in ([0, 1], [0, 1], [0, 2], [1, 1])
    )
    np.testing.assert_array_equal(first, again)
    for another in (other, seeded):
        together = (first[:, None] == first) & (components[:, None] != components)
        still = (another[:, None] == another)[together].mean()
        assert still < 0.3  # a fifth by chance


def test_folds_that_would_lack_a_label_are_refused() -> None:
    components, labels = np.array([0, 0, 0, 1, 1, 2]), np.array([0, 1, 0, 1, 0, 0])
    with pytest.raises(
        ValueError, match=r"validation\.folds: of 3 folds one would lack a label: "
    ):
        draw_folds(components, labels, 3, [0, 0])
