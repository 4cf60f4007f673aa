"""Guards the share of a GPU that a trial gets: trials side by side fit into its memory."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.tuning.data.test_prepared import experiment
from tests.tuning.training.test_trainer import CPU, build, config, toy
from tuning.data.prepared import prepare
from tuning.data.sources import DataLocations
from tuning.training.gpu_memory import (
    allocator_fraction,
    batches_of_all_lengths,
    gpu_share,
    largest_trainings,
    largest_trial,
    needed_bytes,
    rehearse,
    spread_share,
)
from tuning.training.inputs import LoadedSplit
from tuning.training.seeds import train_seeds

GIB = 2**30
# bytes that six trials on an H200 had reserved, and that their processes used on the card
MEASURED = [
    (467_664_896, 1_313_669_120),
    (459_276_288, 1_305_280_512),
    (977_272_832, 1_823_277_056),
    (1_512_046_592, 2_364_342_272),
    (2_067_791_872, 2_920_087_552),
    (4_083_154_944, 4_935_450_624),
]


@given(peak=st.integers(2**20, 100 * GIB), free=st.integers(4 * GIB, 200 * GIB))
def test_trials_side_by_side_fit_or_a_trial_has_the_card_alone(peak: int, free: int) -> None:
    share = gpu_share(peak, free)
    side_by_side = round(1 / share)
    assert side_by_side == 1 or side_by_side * peak < free


def test_a_small_trial_gets_a_small_share() -> None:
    assert gpu_share(1 * GIB, 80 * GIB) == 1 / 37  # 80 / (1.25 + 900 / 1024) = 37.6


@pytest.mark.parametrize(
    ("fitting", "gpus", "at_a_time", "side_by_side"),
    [
        (20, 4, 4, 1),  # a trial for each GPU
        (20, 4, 16, 4),
        (20, 4, 6, 2),
        (3, 4, 16, 3),  # no more than fit
        (100, 1, 64, 8),  # no more than were measured
        (1, 4, 64, 1),
        (20, 8, 2, 1),  # fewer trials than GPUs
    ],
)
def test_trials_are_spread_over_all_gpus(
    fitting: int, gpus: int, at_a_time: int, side_by_side: int
) -> None:
    assert spread_share(1 / fitting, gpus, at_a_time) == 1 / side_by_side


@given(reserved=st.integers(2**20, 20 * GIB), total=st.integers(8 * GIB, 200 * GIB))
def test_a_trial_may_take_what_its_share_was_measured_from_and_no_others(
    reserved: int, total: int
) -> None:
    share = gpu_share(reserved, total)
    allowed = allocator_fraction(share, total) * total
    if share == 1:
        assert allowed == total  # alone on the card, even if too little was predicted
    else:
        assert reserved < allowed < share * total


@pytest.mark.parametrize(("reserved", "used"), MEASURED)
def test_what_is_predicted_covers_what_was_used_on_a_card(reserved: int, used: int) -> None:
    assert used < needed_bytes(reserved) < 1.25 * used


@pytest.mark.parametrize(("reserved", "used"), MEASURED)
def test_processes_with_these_shares_fit_a_card_of_16_gb(reserved: int, used: int) -> None:
    assert used / gpu_share(reserved, 16 * GIB) < 16 * GIB


def test_the_longest_rows_come_first_and_last_and_every_length_between() -> None:
    lengths = np.random.default_rng(0).permutation(np.arange(1, 101))
    batches = batches_of_all_lengths(lengths, 5)
    longest = [int(lengths[rows].max()) for rows in batches]
    assert longest == [100, 87, 73, 60, 46, 33, 19, 5, 100]
    assert {len(rows) for rows in batches} == {5}
    assert sorted(batches_of_all_lengths(lengths, 500)[0]) == list(range(100))


def test_a_rehearsal_trains_on_every_length(distilbert: Path) -> None:
    trial = config(optimizer="adamw", order_seed=0)
    splits = {
        name: LoadedSplit(toy(n), trial, CPU) for n, name in enumerate(("train", "validation"))
    }
    models = [build(trial, distilbert) for _ in range(2)]
    before = models[0].get_parameter("head.classify.weight").clone()
    rehearse(models, splits, trial)
    for model in models:
        assert not torch.equal(model.get_parameter("head.classify.weight"), before)


def test_a_rehearsal_of_stacked_seeds_has_the_tensors_of_all_at_a_time(
    distilbert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial = config(optimizer="adamw", dropout=0.1, order_seed=0)
    splits = {
        name: LoadedSplit(toy(n), trial, CPU) for n, name in enumerate(("train", "validation"))
    }
    stacked = partial(train_seeds, stacked=True)  # as on a GPU
    monkeypatch.setattr("tuning.training.gpu_memory.train_seeds", stacked)
    kept = []  # bytes of what a backward pass needs, summed over all steps
    with torch.autograd.graph.saved_tensors_hooks(
        lambda tensor: kept.append(tensor.nbytes) or tensor, lambda tensor: tensor
    ):
        sums = []
        for seeds in (1, 3):
            rehearse([build(trial, distilbert) for _ in range(seeds)], splits, trial)
            sums.append(sum(kept))
            kept.clear()
    assert sums[1] > 2 * sums[0]


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


def test_a_search_is_measured_with_the_largest_values_of_its_space(tmp_path: Path) -> None:
    space = {"batch_size": [16, 128], "head_width": [32, 256], "r_drop": {"low": 0.0, "high": 2.0}}
    searched = experiment(search={"num_samples": 2, "ablations": False}, space=space)
    prepared = prepare(searched, DataLocations(cache=tmp_path))
    found = largest_trial(prepared, prepared.input_variants[0])
    assert (found.batch_size, found.head_width, found.r_drop) == (128, 256, 2.0)


@pytest.mark.parametrize(("folds", "count"), [(None, 3), (5, 5)])
def test_a_search_is_measured_with_all_seeds_or_folds_of_a_trial(
    tmp_path: Path, folds: int | None, count: int
) -> None:
    searched = experiment(
        search={"num_samples": 2, "ablations": False, "seeds": 3}, validation={"folds": folds}
    )
    prepared = prepare(searched, DataLocations(cache=tmp_path))
    variant = prepared.input_variants[0]
    found = largest_trainings(prepared, variant)
    assert [trial.seed for trial in found] == list(range(count))
    assert {trial.order_seed for trial in found} == {0}
    one = largest_trial(prepared, variant).model_copy(update={"seed": 0, "order_seed": 0})
    assert found[0] == one


def test_a_grid_is_measured_with_one_training(tmp_path: Path) -> None:
    prepared = prepare(experiment(grid={"batch_size": [16, 32]}), DataLocations(cache=tmp_path))
    assert len(largest_trainings(prepared, prepared.input_variants[0])) == 1
