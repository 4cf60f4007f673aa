"""Guards the comparison of folds with a split: no pair held out is seen, the best is chosen."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks import folds
from benchmarks.folds import AS_MANY, BY_FOLDS, USUAL, confirm, divide_inputs, measure_part
from tests.tuning.search.test_trial import COMPONENTS, inputs_of
from tests.tuning.training.test_trainer import PAIRS, config
from tuning.config.search_space import is_active
from tuning.search.startup import value_at

PARTS = 3


def test_each_pair_is_held_out_once_with_its_whole_group(distilbert: Path) -> None:
    trial = config()
    divided = divide_inputs(inputs_of(trial, distilbert), COMPONENTS, PARTS)
    held_out = [set(outer.entities) for _, outer in divided]
    assert sum(len(outer.labels) for _, outer in divided) == 2 * PAIRS
    assert set.union(*held_out) == set(COMPONENTS)
    for (inputs, outer), groups in zip(divided, held_out, strict=True):
        assert inputs.pool is not None
        kept = [inputs.splits["train"], inputs.splits["validation"]]
        for split in (inputs.pool, *kept):
            assert not groups & set(split.entities)
        assert sum(len(split.labels) for split in kept) == len(inputs.pool.labels)
        assert len(inputs.pool.labels) + len(outer.labels) == 2 * PAIRS


def test_a_rule_chooses_its_highest_value_and_equal_choices_score_alike(
    distilbert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folds, "FRESH", 2)
    trials = [config(epochs=1, learning_rate=rate) for rate in (1e-6, 1e-2)]
    inputs, outer = divide_inputs(inputs_of(trials[0], distilbert), COMPONENTS, PARTS)[1]
    found = measure_part(1, trials, inputs, outer)
    assert set(found["values"]) == {BY_FOLDS, AS_MANY, USUAL}
    for rule, values in found["values"].items():
        assert found["chosen"][rule] == values.index(max(values))
        alone = confirm(trials[found["chosen"][rule]], inputs, outer, range(105, 107))
        assert found["auc"][rule] == pytest.approx(np.mean(alone))


def test_every_axis_has_values_that_a_trial_takes() -> None:
    for name, axis in folds.SPACE.items():
        assert is_active(axis, {})
        for share in (0.0, 0.999):
            config(**{name: value_at(axis, share)})
