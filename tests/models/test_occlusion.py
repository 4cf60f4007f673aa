"""Guards occlusion: each word's change is what the predictor answers for the shorter text."""

from pathlib import Path

import numpy as np
import pytest

from models.occlusion import occlude
from models.predictor import Predictor
from tests.models.untrained import save

FIRST, SECOND = "w1 w2 w3 w2", "w4 - w5"


def predictor_of(folder: Path, encoder: Path, *, separate: bool) -> Predictor:
    saved = save(folder / "a", encoder, separate=separate, branch=True, both_orders=True)
    return Predictor(saved, [encoder])


def log_odds(predictor: Predictor, first: str, second: str) -> float:
    likely = predictor.predict([first], [second])[0]
    return float(np.log(likely / (1 - likely)))


@pytest.mark.parametrize("separate", [False, True])
def test_a_change_is_that_of_the_predictor_on_the_shorter_text(
    distilbert: Path, tmp_path: Path, separate: bool
) -> None:
    predictor = predictor_of(tmp_path, distilbert, separate=separate)
    found = occlude(predictor, FIRST, SECOND, 10_000)
    whole = log_odds(predictor, FIRST, SECOND)
    assert found.log_odds == pytest.approx(whole, abs=1e-5)
    assert [word for word, _ in found.first] == FIRST.split()
    assert [word for word, _ in found.second] == SECOND.split()
    expected = log_odds(predictor, "w1 w3 w2", SECOND) - whole
    assert found.first[1][1] == pytest.approx(expected, abs=1e-5)
    expected = log_odds(predictor, FIRST, "w4 w5") - whole
    assert found.second[1][1] == pytest.approx(expected, abs=1e-5)
    changes = [change for _, change in (*found.first, *found.second) if change is not None]
    assert len({round(change, 6) for change in changes}) > 3


def test_a_word_without_which_nothing_is_left_is_not_measured(
    distilbert: Path, tmp_path: Path
) -> None:
    predictor = predictor_of(tmp_path, distilbert, separate=True)
    found = occlude(predictor, "w1", "- w2 w3", 10_000)
    assert found.first == [("w1", None)]
    assert all(change is not None for _, change in found.second)
    found = occlude(predictor, "w1", "- w2", 10_000)  # cleaning empties a bullet alone
    assert found.second[1] == ("w2", None)
    assert found.second[0][1] == pytest.approx(0, abs=1e-6)  # and removes it in any case


@pytest.mark.parametrize("separate", [False, True])
def test_of_a_long_pair_the_beginnings_are_measured(
    distilbert: Path, tmp_path: Path, separate: bool
) -> None:
    predictor = predictor_of(tmp_path, distilbert, separate=separate)
    found = occlude(predictor, "w1 " * 10, "w2 " * 10, 100)
    for side in (found.first, found.second):
        measured = [change is not None for _, change in side]
        assert measured == sorted(measured, reverse=True)
        assert 0 < sum(measured) < 10 or separate  # equal texts are encoded once
