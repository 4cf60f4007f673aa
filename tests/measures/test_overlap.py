"""Guards the overlap features: symmetric, and with values worked by hand."""

import numpy as np
import pandas as pd
import pytest

from measures.overlap import FEATURES, content_words, jaccard, overlap_features, word_overlap


def test_swapping_the_definitions_changes_no_feature(pairs: pd.DataFrame) -> None:
    swapped = pairs.rename(columns={"first": "second", "second": "first"})
    found, expected = (
        overlap_features(each["first"], each["second"]) for each in (swapped, pairs)
    )
    np.testing.assert_array_equal(found, expected)
    assert found.shape == (len(pairs), FEATURES)


def test_features_of_words_are_those_worked_by_hand() -> None:
    (features,) = overlap_features(["A fast, FAST parser"], ["a parser"])
    assert features[:3] == pytest.approx([2 / 3, 2 / 2, 2 / 3])  # {a, fast, parser}, {a, parser}
    assert features[-3:].tolist() == [2, 4, 2]
    assert word_overlap(["A fast, FAST parser"], ["a parser"])[0] == pytest.approx(2 / 3)


def test_stop_words_are_no_content() -> None:
    assert content_words("The parser of a compiler") == {"parser", "compiler"}


def test_empty_sets_have_nothing_in_common() -> None:
    assert jaccard(set(), set()) == 0
    assert np.isfinite(overlap_features([""], ["..."])).all()
