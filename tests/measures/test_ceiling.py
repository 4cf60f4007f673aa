"""Guards what votes allow: PARADE's numbers, limits that can be worked by hand, and a fit."""

import numpy as np
import pytest

from measures.ceiling import fit_votes, vote_ceiling


def test_votes_like_those_of_parade_allow_a_known_score() -> None:
    votes = np.repeat(np.arange(4), [300, 407, 380, 270])  # of PARADE's test split
    ceiling = vote_ceiling(votes, voters=3, needed=2)
    assert ceiling.accuracy == pytest.approx(0.764, abs=0.001)
    assert ceiling.f1 == pytest.approx(0.767, abs=0.001)
    assert ceiling.agreement == pytest.approx(0.683, abs=0.001)


def test_the_oracle_is_right_in_as_many_pairs_as_its_parts_say() -> None:
    votes = np.repeat(np.arange(4), [300, 407, 380, 270])
    ceiling = vote_ceiling(votes, voters=3, needed=2)
    whole = float(ceiling.accuracy_by_votes @ np.bincount(votes)) / len(votes)
    assert whole == pytest.approx(ceiling.accuracy, abs=0.005)  # the fit is not the counts
    assert ceiling.accuracy_by_votes[[0, 3]].min() > ceiling.accuracy_by_votes[[1, 2]].max()


def test_the_fit_finds_the_distribution_that_votes_were_drawn_from() -> None:
    generator = np.random.default_rng(0)
    votes = generator.binomial(5, generator.beta(2.0, 0.7, 50_000))
    assert fit_votes(votes, 5) == pytest.approx((2.0, 0.7), rel=0.05)


def test_annotators_who_always_agree_allow_everything() -> None:
    ceiling = vote_ceiling(np.array([0, 3] * 50), voters=3, needed=2)
    assert min(ceiling.accuracy, ceiling.f1, ceiling.agreement) > 0.99


def test_annotators_who_toss_a_coin_allow_nothing_but_luck() -> None:
    votes = np.repeat(np.arange(4), [100, 300, 300, 100])  # of three fair coins
    ceiling = vote_ceiling(votes, voters=3, needed=2)
    assert ceiling.accuracy == pytest.approx(0.5, abs=0.05)
    assert ceiling.agreement == pytest.approx(0.5, abs=0.05)
    assert ceiling.f1 == pytest.approx(2 / 3, abs=0.05)  # every pair is called positive


def test_a_panel_of_one_is_refused() -> None:
    with pytest.raises(ValueError, match="voters: must be at least 2, got 1"):
        fit_votes(np.array([0, 1]), 1)


def test_a_label_that_needs_every_vote_allows_a_lower_f1_than_one_that_needs_one() -> None:
    votes = np.repeat(np.arange(4), [300, 407, 380, 270])
    rare, common = (vote_ceiling(votes, 3, needed) for needed in (3, 1))
    assert rare.f1 < common.f1
