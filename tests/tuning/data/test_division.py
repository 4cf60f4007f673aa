"""Guards the division of pairs: what belongs together is in one split, labels are balanced."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuning.data.division import divide, find_components
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
