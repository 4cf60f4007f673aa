"""Guards votes against counts by hand, for other numbers of annotators than three."""

import numpy as np
import pandas as pd
import pytest

from analysis import votes
from tests.analysis.conftest import make_pairs

LABELS_AND_VOTES = [(0, 0), (0, 1), (0, 2), (1, 2), (1, 3), (1, 5)]  # of 5


def voted(voters: int = 5) -> pd.DataFrame:
    rows = [("train", "a", "b", label, of / voters, "") for label, of in LABELS_AND_VOTES]
    frame = make_pairs(rows)
    return frame.astype({"votes": np.float32})


def test_the_number_of_voters_is_the_logged_one() -> None:
    assert votes.count_voters(voted(10).assign(voters=10)) == 10


@pytest.mark.parametrize("voters", [1, 3, 5, 7])
def test_without_it_the_smallest_number_that_fits_is_taken(voters: int) -> None:
    shares = np.arange(voters + 1) / voters
    frame = pd.DataFrame({"votes": shares.astype(np.float32)})
    assert votes.count_voters(frame) == voters
    assert votes.vote_numbers(frame).tolist() == list(range(voters + 1))


def test_unknown_votes_have_no_voters() -> None:
    frame = voted().assign(votes=np.nan, voters=0)
    assert votes.count_voters(frame) == 0
    assert votes.vote_numbers(frame).isna().all()


def test_the_rule_that_fits_most_labels_is_found() -> None:
    assert votes.label_rule(voted()) == (2, pytest.approx(5 / 6))
    assert votes.label_rule(voted().iloc[[0, 1, 4, 5]]) == (2, 1.0)
