"""Compare choosing by folds with choosing by the validation split: python benchmarks/folds.py.

Train and validation are divided into outer parts, whole groups each. With each part held out in
turn, some configurations get the value that a search would give them on the rest: by folds
(``validation.folds``), or by the data's own validation pairs, with as many seeds as there are
folds and with two. Those with the highest values are trained on fresh seeds, the best epoch chosen
on the validation pairs as a search confirms them, and scored on the part held out. Folds win if
they choose what scores higher there than either of the others. Test takes no part.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console

from benchmarks.machine import CPU, machine_precision
from benchmarks.records import save_record
from measures.objective import SEED_MEAN, Objective
from models.batches import SplitArrays
from models.split_parts import join, part_of
from tuning.config.experiment import Experiment, TrialConfig
from tuning.config.search_space import Axis
from tuning.data.division import draw_folds, fold_components
from tuning.data.prepared import Prepared, prepare
from tuning.data.sources import read_locations
from tuning.execution.trial_spec import TrialSpec
from tuning.search.startup import spread
from tuning.search.trial import SeedScores, start_folds, start_seeds
from tuning.training.builders import build_classifier
from tuning.training.evaluation import validate
from tuning.training.inputs import LoadedSplit, SharedInputs, build_inputs, without_test
from tuning.training.seeds import SequentialTrainer
from tuning.training.stacked import StackedTrainer
from tuning.training.trainer import Trainer

FOLDS, SEEDS, FRESH = 5, 2, 3
BY_FOLDS, AS_MANY, USUAL = "folds", "split, as many seeds", "split, two seeds"
FIXED = {"epochs": 3, "min_steps": 200}  # as the grid
# near one another: where half of the trials collapse, any rule finds the best
SPACE = {
    name: Axis.model_validate(values)
    for name, values in {
        "learning_rate": {"low": 3e-4, "high": 1e-2, "log": True},
        "head_width": [64, 128],
        "dropout": {"low": 0.1, "high": 0.6},
        "overlap_features": [True, False],
        "targets": ["auto", "labels"],
        "weight_decay": {"low": 1e-4, "high": 1e-1, "log": True},
        "warmup_fraction": {"low": 0.0, "high": 0.3},
        "batch_size": [32, 64],
    }.items()
}


def configurations(prepared: Prepared, count: int) -> list[TrialConfig]:
    """Return configurations that are spread over the space, as the start-up of a search is."""
    fixed = prepared.experiment.trial.model_dump()
    pairs, votes = len(prepared.pairs.splits["train"].labels), prepared.pairs.has_votes
    return [
        TrialConfig(**{**fixed, **values}).fit_to_data(pairs=pairs, votes=votes)
        for values in spread(SPACE, fixed, count, seed=0)
    ]


def divide_inputs(
    inputs: SharedInputs, components: np.ndarray, count: int
) -> list[tuple[SharedInputs, SplitArrays]]:
    """Return for each outer part the inputs of a search on the rest, with a pool, and the part.

    Args:
        inputs: Inputs without test.
        components: Code of what stays together of each pair of train, then of validation.
        count: Number of outer parts.
    """
    train = inputs.splits["train"]
    pool = join(train, inputs.splits["validation"], components)
    learned = np.arange(len(components)) < train.table.pairs
    outer = draw_folds(components, pool.labels, count, [FOLDS, count])
    found = []
    for part in range(count):
        kept = outer != part
        splits = {
            "train": part_of(pool, np.flatnonzero(kept & learned)),
            "validation": part_of(pool, np.flatnonzero(kept & ~learned)),
        }
        rest = replace(inputs, splits=splits, pool=part_of(pool, np.flatnonzero(kept)))
        found.append((rest, part_of(pool, np.flatnonzero(~kept))))
    return found


def values_of(spec: TrialSpec, inputs: SharedInputs) -> dict[str, float]:
    """Return what a configuration is worth in a search, by each rule."""
    objective = Objective(name="auc", floor=0.5)
    by_folds, by_split = SeedScores(objective, FOLDS), SeedScores(objective, FOLDS)
    usual = SeedScores(objective, SEEDS)
    _train(start_folds(spec, inputs, CPU)[0], [by_folds])
    _train(start_seeds(spec, inputs, CPU)[0], [by_split, usual])
    scores = {BY_FOLDS: by_folds, AS_MANY: by_split, USUAL: usual}
    return {rule: found.metrics()[SEED_MEAN] for rule, found in scores.items()}


def _train(training: SequentialTrainer | StackedTrainer, scores: list[SeedScores]) -> None:
    while not training.finished:
        results = training.run_epoch()
        for found in scores:
            found.update(results[: len(found.best)])


def confirm(
    config: TrialConfig, inputs: SharedInputs, outer: SplitArrays, seeds: range
) -> list[float]:
    """Return the AUC on a part held out of each fresh seed, at its best epoch by validation."""
    splits = {name: LoadedSplit(each, config, CPU) for name, each in inputs.splits.items()}
    held_out, found = LoadedSplit(outer, config, CPU), []
    for seed in seeds:
        own = config.model_copy(update={"seed": seed, "order_seed": None})
        model = build_classifier(own, inputs)
        training = Trainer(model, splits["train"], splits["validation"], own)
        epochs = []
        while not training.finished:
            rank = training.run_epoch().rank
            epochs.append((rank, validate(model, held_out)[1]["auc"]))
        found.append(max(epochs)[1])
    return found


def measure_part(
    number: int, trials: list[TrialConfig], inputs: SharedInputs, outer: SplitArrays
) -> dict[str, Any]:
    """Return for an outer part the ``values`` by rule, and what each chose: ``chosen``, ``auc``.

    Args:
        number: Number of the part.
        trials: Configurations to choose from.
        inputs: Inputs of a search on the rest, with a pool.
        outer: The part held out.
    """
    first = 100 * number  # no part has the seeds of another
    values: dict[str, list[float]] = {}
    for trial_number, trial in enumerate(trials):
        spec = TrialSpec(
            trial=trial.model_copy(update={"seed": first, "order_seed": first}),
            seeds=tuple(range(first, first + FOLDS)),
            params={"folds": FOLDS},
            tags={"optuna_trial": str(trial_number)},
        )
        for rule, value in values_of(spec, inputs).items():
            values.setdefault(rule, []).append(value)
    chosen = {rule: int(np.argmax(found)) for rule, found in values.items()}
    fresh = range(first + FOLDS, first + FOLDS + FRESH)
    areas = {each: confirm(trials[each], inputs, outer, fresh) for each in set(chosen.values())}
    auc = {rule: float(np.mean(areas[each])) for rule, each in chosen.items()}
    return {"values": values, "chosen": chosen, "auc": auc}


def main() -> int:
    """Return 0 after printing what each rule chose and saving it."""
    parser = argparse.ArgumentParser(
        allow_abbrev=False, description="Compare choosing by folds with the validation split."
    )
    parser.add_argument("--data", default="embedded", help="as for run_grid.py")
    parser.add_argument("--encoder", default="minilm", help="as for run_grid.py")
    parser.add_argument("--configurations", type=int, default=8, help="to choose from")
    parser.add_argument("--outer", type=int, default=5, help="parts that are held out in turn")
    args = parser.parse_args()
    torch.set_num_threads(1)
    content = {"name": "folds", "data": args.data, "encoder": args.encoder, "trial": FIXED,
               "grid": {"overlap_features": [True, False]}}  # fmt: skip
    prepared = prepare(Experiment.model_validate(content), read_locations())
    trials, console, parts = configurations(prepared, args.configurations), Console(), []
    pairs = prepared.pairs.splits
    components = fold_components(pairs["train"], pairs["validation"], args.outer)
    with tempfile.TemporaryDirectory() as folder:
        whole = build_inputs(prepared, prepared.trials[0], machine_precision(), Path(folder))
        divided = divide_inputs(without_test(whole), components, args.outer)
    for number, (inputs, outer) in enumerate(divided):
        parts.append(measure_part(number, trials, inputs, outer))
        console.print(f"part {number + 1} of {args.outer}:", parts[-1])
    name = prepared.data_source.name
    numbers = {"data": name, "encoder": prepared.encoder_source.name, "folds": FOLDS,
               "fresh": FRESH, "parts": parts}  # fmt: skip
    print(save_record(f"folds_{name}", numbers))
    return 0


if __name__ == "__main__":
    sys.exit(main())
