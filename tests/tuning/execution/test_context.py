"""Guards what an execution context measures: each variant of inputs with a trial of its own."""

from pathlib import Path

from tests.tuning.data.test_prepared import experiment
from tuning.data.prepared import prepare
from tuning.data.sources import DataLocations
from tuning.execution.context import largest_trial


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
