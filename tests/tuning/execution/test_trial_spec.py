"""Guards a trial's specification: JSON values or text restore it; it names one state file."""

from dataclasses import replace
from pathlib import Path

import pytest

from tuning.config.experiment import TrialConfig
from tuning.execution.trial_checkpoint import state_file
from tuning.execution.trial_spec import TrialSpec, stage_folder, trial_key
from tuning.system.storage_path import StoragePath


def config(**values: object) -> TrialConfig:
    return TrialConfig.model_validate(values)


SPEC = TrialSpec(
    trial=config(seed=1, learning_rate=0.1),
    seeds=(0, 1, 2),
    params={"seeds": 3},
    tags={"stage": "search", "optuna_trial": "7"},
)


@pytest.mark.parametrize(
    "spec",
    [
        SPEC,
        TrialSpec(trial=config()),
        TrialSpec(trial=config(class_weight="balanced"), name="01-sgd"),
    ],
)
def test_a_spec_comes_back_from_its_json_values_and_from_their_text(spec: TrialSpec) -> None:
    assert TrialSpec.from_point(spec.to_point()) == spec
    assert TrialSpec.from_point(spec.to_text()) == spec


def test_empty_fields_are_left_out() -> None:
    assert set(TrialSpec(trial=config(), name="01").to_point()) == {"trial", "name"}


def test_a_trial_without_a_stage_is_of_the_grid_and_lies_in_the_launchs_folder() -> None:
    stage = TrialSpec(trial=config()).stage
    assert (stage, stage_folder(stage), trial_key(stage, "01")) == ("grid", "", "grid/01")
    assert (SPEC.stage, stage_folder(SPEC.stage)) == ("search", "search")


@pytest.mark.parametrize(
    "other",
    [
        replace(SPEC, trial=config(seed=2, learning_rate=0.1)),
        replace(SPEC, trial=config(seed=1, learning_rate=0.1, class_weight="balanced")),
        replace(SPEC, seeds=(1, 2)),
        replace(SPEC, tags={}),
        replace(SPEC, name="x"),
    ],
)
def test_another_trial_has_another_state_file(tmp_path: Path, other: TrialSpec) -> None:
    folder = StoragePath(str(tmp_path))
    assert state_file(folder, other) != state_file(folder, SPEC)
    assert state_file(folder, replace(SPEC)) == state_file(folder, SPEC)
