"""Measure if the parts of a gap keep their promise: python benchmarks/simulated_gaps.py.

Both splits of PARADE are simulated, and trainings on them whose threshold is chosen on validation.
The true parts of the gap between validation and test are known from many data sets; how often do
the report's 95 % intervals cover them?

Shapes: S seeds, N pairs.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console
from scipy.special import expit, logit

from analysis import gap_tables
from benchmarks.records import save_record
from benchmarks.simulated_tests import RESAMPLES, SHIFTS, SIZES, World, draw_world, train
from measures.intervals import Predictions, point_scores
from measures.metrics import choose_threshold
from measures.objective import ThresholdRule

PARTS = {"auc": ("harder", "left"), "f1": ("harder", "threshold", "left")}
_SEEDS = (5, 3, 1)
_RULES: tuple[ThresholdRule, ...] = ("steady", "maximum")
_WORLDS = 3000  # data sets that the true parts are computed from
# ``new`` is a second validation split, on which no threshold was chosen
_SPLITS = {split: SIZES[size] for split, size in
           (("validation", "validation"), ("new", "validation"), ("test", "test"))}  # fmt: skip


def draw_worlds(generator: np.random.Generator) -> dict[str, World]:
    """Return a data set for each split."""
    return {split: draw_world(generator, sizes) for split, sizes in _SPLITS.items()}


def train_splits(
    generator: np.random.Generator,
    worlds: dict[str, World],
    rule: ThresholdRule,
    seeds: int,
    *,
    fixed: bool = False,
) -> dict[str, Predictions]:
    """Return a training's predictions for each split, at thresholds chosen on validation.

    Each seed shifts its scores alike in all splits, so that its threshold holds in all.
    """
    moved = 0.0 if fixed else SHIFTS["0.5"] * generator.normal(size=(seeds, 1))
    found = {}
    for split, world in worlds.items():
        drawn = train(generator, world, seeds, 0.0, fixed=fixed)
        found[split] = replace(drawn, probabilities=expit(logit(drawn.probabilities) + moved))
    labels, known = worlds["validation"].labels, found["validation"].probabilities
    chosen = np.array([choose_threshold(labels, row, rule)[0] for row in known])
    return {split: replace(part, thresholds=chosen) for split, part in found.items()}


@cache
def true_parts(rule: ThresholdRule) -> dict[tuple[str, str], float]:
    """Return the mean over data sets of each part of the gap, by metric and part.

    What the threshold adds is F1 on the pairs that it was chosen on, less that on new ones.
    """
    generator = np.random.default_rng(99)
    rows = []
    for _ in range(_WORLDS):
        drawn = draw_worlds(generator)
        for fixed in (False, True):
            found = train_splits(generator, drawn, rule, 1, fixed=fixed)
            for split, part in found.items():
                scores = {name: float(point_scores(part, [name])[name][0]) for name in PARTS}
                rows.append({"fixed": fixed, "split": split, **scores})
    means = pd.DataFrame(rows).groupby(["fixed", "split"])[list(PARTS)].mean()
    parts = {}
    for metric in PARTS:
        own, base = (means[metric].loc[fixed] for fixed in (False, True))
        parts[metric, "threshold"] = own["validation"] - own["new"]
        parts[metric, "harder"] = base["new"] - base["test"]
        parts[metric, "left"] = own["new"] - own["test"] - parts[metric, "harder"]
    return parts


def simulate(rule: ThresholdRule, seeds: int, times: int) -> list[dict[str, Any]]:
    """Return a row for each part of the gap: how often its 95 % interval covers the truth.

    ``points`` is the mean of what the report says, ``truth`` what it should be.
    """
    truth = true_parts(rule)
    generator = np.random.default_rng(seeds)
    tables = []
    for _ in range(times):
        drawn = draw_worlds(generator)
        models = {
            name: train_splits(generator, drawn, rule, 1 if fixed else seeds, fixed=fixed)
            for name, fixed in (("model", False), ("baseline", True))
        }
        validation, test = ({name: found[split] for name, found in models.items()}
                            for split in ("validation", "test"))  # fmt: skip
        rules: dict[str, ThresholdRule] = dict.fromkeys(models, rule)
        tables.append(gap_tables.gaps(validation, test, "baseline", rules))
    found = pd.concat(tables).groupby("metric")
    rows = []
    for metric, parts in PARTS.items():
        table = found.get_group(metric)
        for part in parts:
            true = float(truth[metric, part])
            inside = (table[f"{part}_low"] <= true) & (true <= table[f"{part}_high"])
            rows.append({"rule": rule, "seeds": seeds, "metric": metric, "part": part,
                         "truth": true, "points": float(table[part].mean()),
                         "covered": float(inside.mean())})  # fmt: skip
    return rows


def main() -> int:
    """Return 0 after printing the rows and saving them."""
    parser = argparse.ArgumentParser(
        allow_abbrev=False, description="Measure if the parts of a gap keep their promise."
    )
    parser.add_argument("--times", type=int, default=500, help="simulated data sets of each kind")
    times = parser.parse_args().times
    gap_tables.RESAMPLES = RESAMPLES
    rows = [row for rule in _RULES for seeds in _SEEDS for row in simulate(rule, seeds, times)]
    Console(width=160).print(pd.DataFrame(rows).round(4).to_string())
    print(save_record("gap_statistics", {"times": times, "rows": rows}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
