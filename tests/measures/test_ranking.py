"""Guards the standard error of an AUC: by hand, against resampling, wider with clusters."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from measures.ranking import auc_standard_error


def test_four_pairs_worked_by_hand() -> None:
    labels, scores = np.array([1, 1, 0, 0]), np.array([0.9, 0.4, 0.5, 0.1])
    # above: 1 and .5; below: .5 and 1; the AUC is .75, so all components lie .25 from it
    own = auc_standard_error(labels, scores, np.arange(4), 0.75)
    assert own == pytest.approx(np.sqrt(2 * (2 * (0.125**2)) * 2))
    # first and third pair in one entity, whose components cancel; so do those of the others
    both = auc_standard_error(labels, scores, np.array([0, 1, 0, 1]), 0.75)
    assert both == pytest.approx(0.0, abs=1e-12)


def test_constant_scores_have_no_spread() -> None:
    labels = np.array([0, 1, 1, 0, 1])
    assert auc_standard_error(labels, np.full(5, 0.3), np.arange(5), 0.5) == 0.0


@pytest.mark.parametrize("share", [0.0, 0.7])
def test_the_formula_agrees_with_resampled_entities(share: float) -> None:
    generator = np.random.default_rng(3)
    entities = np.repeat(np.arange(60), 7)
    common = generator.normal(size=60)[entities] * share
    labels = (generator.random(420) < 0.4).astype(int)
    scores = labels * 0.8 + common * (2 * labels - 1) + generator.normal(size=420)
    found = auc_standard_error(labels, scores, entities, float(roc_auc_score(labels, scores)))
    drawn = generator.integers(60, size=(1000, 60))
    counts = (drawn[:, :, None] == np.arange(60)).sum(axis=1)[:, entities]  # of each pair
    above = scores[labels == 1][:, None] > scores[labels == 0]
    positive, negative = counts[:, labels == 1], counts[:, labels == 0]
    pairs = positive.sum(axis=1) * negative.sum(axis=1)
    areas = (positive @ above * negative).sum(axis=1) / pairs
    assert found == pytest.approx(np.std(areas), rel=0.1)


def test_pairs_of_one_entity_alone_count_one_by_one() -> None:
    generator = np.random.default_rng(5)
    labels = np.array([0, 1] * 10)
    scores = generator.random(20)
    area = float(roc_auc_score(labels, scores))
    one = auc_standard_error(labels, scores, np.zeros(20, dtype=int), area)
    assert one == auc_standard_error(labels, scores, np.arange(20), area) > 0
