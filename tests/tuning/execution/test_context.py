"""Guards what an execution context measures: each variant of inputs with a trial of its own."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np

from models.batches import SplitArrays
from models.state_files import create, read
from tests.tuning.data.test_prepared import experiment
from tests.tuning.training.test_trainer import toy
from tuning.data.prepared import prepare
from tuning.data.sources import DataLocations
from tuning.execution.context import in_memory, largest_trial
from tuning.training.inputs import SharedInputs


@dataclass(frozen=True)
class Inputs:
    """Shared inputs that are splits and nothing else."""

    splits: dict[str, SplitArrays]


def test_a_variant_of_inputs_is_measured_with_the_largest_trial_that_uses_it(
    tmp_path: Path,
) -> None:
    axes = {"encoding": ["separate", "pair"], "freezing": ["all", 2], "batch_size": [16, 32]}
    prepared = prepare(experiment(grid=axes), DataLocations(cache=tmp_path))
    assert len(prepared.input_variants) == 4
    for variant in prepared.input_variants:
        found = largest_trial(prepared, variant)
        assert prepared.variant_of(found) == prepared.variant_of(variant)
        assert found.batch_size == 32


def test_other_machines_get_the_states_themselves(tmp_path: Path) -> None:
    arrays = create(tmp_path / "x", {"train": 3}, 2, np.dtype(np.float32))
    arrays["train"][:] = 7
    mapped, untouched = replace(toy(0), states=read(tmp_path / "x")[0]["train"]), toy(1)
    tokens = replace(toy(2), states=None)
    inputs = cast(SharedInputs, Inputs({"train": mapped, "validation": untouched, "test": tokens}))
    found = in_memory(inputs).splits
    assert isinstance(found["train"].states, np.ndarray)
    assert found["train"].states.tolist() == [[7.0, 7.0]] * 3
    assert found["validation"].states is untouched.states
    assert found["test"].states is None
