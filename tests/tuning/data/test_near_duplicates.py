"""Guards near-duplicates: all that a comparison of every two texts finds, and no others."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.cluster.hierarchy import DisjointSet

from measures.overlap import jaccard, words
from tuning.data.near_duplicates import near_duplicates

TEN = "a heap keeps its smallest item on top of the others"


def groups_of(texts: list[str], edges: list[tuple[int, int]]) -> list[set[int]]:
    found = DisjointSet(range(len(texts)))
    for one, other in edges:
        found.merge(one, other)
    return sorted(found.subsets(), key=min)


@pytest.mark.parametrize(
    "other",
    [
        TEN.upper(),
        "A heap keeps -- its smallest item -- on top of the others.",
        "on top of the others a heap keeps its smallest item",
        f"{TEN} always",  # 11 of 12 words
    ],
)
def test_case_marks_order_and_one_word_of_many_make_no_difference(other: str) -> None:
    assert list(near_duplicates(["a tree", TEN, "a list", other])) == [(1, 3)]


@pytest.mark.parametrize(
    ("one", "other"),
    [("a heap", "a heap a tree"), ("0.9", "0.8"), ("!", "?"), (TEN, f"{TEN} that it has")],
)
def test_other_words_make_another_text(one: str, other: str) -> None:
    assert list(near_duplicates([one, other])) == []


TEXTS = st.lists(
    st.lists(st.sampled_from("abcdefghijklmnop"), min_size=1, max_size=14).map(" ".join),
    max_size=12,
)


@given(texts=TEXTS)
def test_the_same_texts_are_tied_as_by_comparing_every_two(texts: list[str]) -> None:
    sets = [set(words(text)) for text in texts]
    every = [
        (a, b)
        for a, b in combinations(range(len(texts)), 2)
        if 10 * len(sets[a] & sets[b]) >= 9 * len(sets[a] | sets[b])
    ]
    assert groups_of(texts, list(near_duplicates(texts))) == groups_of(texts, every)


def test_texts_that_hold_nine_tenths_of_each_other_are_found_among_many() -> None:
    generator = np.random.default_rng(0)
    texts = [" ".join(f"w{n}" for n in generator.zipf(1.3, 20)) for _ in range(500)]
    longest = max(texts, key=lambda text: len(set(text.split())))
    texts.append(f"{longest} another")
    assert jaccard(set(longest.split()), set(texts[-1].split())) >= 0.9
    assert (texts.index(longest), 500) in list(near_duplicates(texts))
