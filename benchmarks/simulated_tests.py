"""Measure if intervals and tests keep their promise: python benchmarks/simulated_tests.py.

Data sets with entities as large as PARADE's are simulated, and trainings on them whose true scores
are known. What the report says of them, by the functions that it uses, is then held against the
truth: how often a 95 % interval covers it, and how often trainings that do not differ are told
apart at .05.

Shapes: S seeds, N pairs, E entities.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console
from scipy.special import expit
from scipy.stats import norm

from benchmarks.records import save_record
from measures import comparison
from measures.intervals import (
    Predictions,
    Side,
    count_scores,
    draw_entities,
    interval,
    resample_rate,
    two_sided_p,
)

# how many entities of PARADE's test and validation split have how many pairs
_TEST = {235: 1, 79: 1, 44: 2, 40: 1, 36: 1, 35: 2, 33: 1, 26: 1, 25: 2, 24: 1, 19: 1, 18: 1,
         17: 1, 16: 3, 15: 3, 14: 5, 13: 1, 12: 1, 11: 6, 10: 4, 9: 3, 8: 8, 7: 8, 6: 8, 5: 7,
         4: 5, 3: 11, 2: 16, 1: 13}  # fmt: skip
_VALIDATION = {71: 2, 59: 1, 45: 1, 43: 2, 42: 1, 41: 2, 33: 2, 32: 1, 28: 1, 27: 1, 26: 2, 25: 1,
               24: 1, 22: 2, 21: 2, 20: 1, 18: 1, 17: 1, 16: 1, 15: 3, 14: 1, 13: 1, 12: 4, 10: 1,
               9: 4, 8: 3, 7: 10, 6: 5, 5: 5, 4: 4, 3: 9, 2: 16, 1: 18}  # fmt: skip
SIZES = {name: np.repeat(list(found), list(found.values()))
         for name, found in (("test", _TEST), ("validation", _VALIDATION))}  # fmt: skip
RESAMPLES = 600  # fewer than in the report, which only makes an interval's ends less smooth
COUNTED = ("f1", "accuracy", "precision", "recall")
# standard deviation, over seeds, of the shift of all scores, in logits: what makes that of F1 .007
# (a threshold chosen on validation) and .037 (0.5)
SHIFTS = {"threshold": 0.06, "0.5": 0.55}
_WORLDS = 300  # data sets that a true score is computed from
_HARD = norm.ppf(0.75)  # hardness from which a pair is in the bin of the error rate
_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(15)  # of the mean over a normal shift


@dataclass(frozen=True, kw_only=True, slots=True)
class World:
    """A data set: labels (N,), entities (N,), hardness (N,), and scores of all trainings (N,)."""

    labels: np.ndarray
    entities: np.ndarray
    hardness: np.ndarray
    shared: np.ndarray


def draw_world(generator: np.random.Generator, sizes: np.ndarray) -> World:
    """Return a data set with entities of these sizes, int (E,).

    Entities differ in their share of paraphrases and in how easily their pairs are called one.
    """
    entities = np.repeat(np.arange(len(sizes)), sizes)
    rate = expit(generator.normal(-0.05, 0.8, len(sizes)))
    labels = (generator.random(len(entities)) < rate[entities]).astype(int)
    hardness = generator.normal(size=len(entities))
    shared = 1.2 * (2 * labels - 1) + 0.6 * generator.normal(size=len(sizes))[entities]
    return World(
        labels=labels, entities=entities, hardness=hardness, shared=shared + 1.6 * hardness
    )


def train(
    generator: np.random.Generator, world: World, seeds: int, shift: float, *, fixed: bool = False
) -> Predictions:
    """Return a training of that many seeds; all trainings that are not fixed have equal truths.

    A training has opinions of its own on entities and on pairs, which all of its seeds share; each
    seed has some on pairs, and a shift of all its scores. A fixed model has neither.
    """
    count = int(world.entities.max()) + 1
    own = 0.4 * generator.normal(size=count)[world.entities]
    logits = world.shared + own + 0.5 * generator.normal(size=len(world.labels))
    logits = np.tile(logits, (seeds, 1))
    if not fixed:
        logits += 0.4 * generator.normal(size=logits.shape)
        logits += shift * generator.normal(size=(seeds, 1))
    return Predictions(
        labels=world.labels,
        entities=world.entities,
        probabilities=expit(logits),
        seeds=np.arange(seeds),
        thresholds=np.full(seeds, 0.5),
        fixed=fixed,
    )


def true_scores(sizes: np.ndarray, shift: float, *, fixed: bool = False) -> dict[str, float]:
    """Return what a training scores on average over all seeds and entities.

    It has accuracy, F1, precision and recall, the AUC, and ``error``: the error rate of hard pairs
    that are no paraphrases.
    """
    generator = np.random.default_rng(99)
    counts, wrong, hard = np.zeros((len(_NODES), 4)), np.zeros(len(_NODES)), 0
    areas = []
    for _ in range(_WORLDS):
        world = draw_world(generator, sizes)
        found = train(generator, world, 1, 0.0, fixed=fixed)
        lines = np.log(1 / found.probabilities[0] - 1)  # the logit, with its sign turned
        among = _in_bin(world)
        hard += int(among.sum())
        for node, place in enumerate(_NODES):
            called = lines < shift * place
            counts[node] += np.bincount(2 * world.labels + called, minlength=4)
            wrong[node] += called[among].sum()
        areas.append((world.labels, found.probabilities[0]))
    weights = _WEIGHTS / _WEIGHTS.sum()
    scores = {name: float(weights @ values) for name, values in count_scores(counts).items()}
    labels, ranks = (np.concatenate(parts) for parts in zip(*areas, strict=True))
    area = comparison.point_scores(_whole(labels, ranks), ["auc"])["auc"]
    return scores | {"auc": float(area[0]), "error": float(weights @ wrong) / hard}


def _whole(labels: np.ndarray, probabilities: np.ndarray) -> Predictions:
    zeros = np.zeros(len(labels), dtype=int)
    return Predictions(labels=labels, entities=zeros, probabilities=probabilities[None],
                       seeds=zeros[:1], thresholds=np.array([0.5]))  # fmt: skip


def _in_bin(world: World) -> np.ndarray:
    return (world.hardness > _HARD) & (world.labels == 0)


def judge(
    generator: np.random.Generator, split: str, seeds: int, shift: float, metrics: tuple[str, ...]
) -> dict[str, tuple[np.ndarray, str]]:
    """Return plausible values, float (R,), of what the report says of one simulated data set.

    Each comes with the name of its truth: a metric's, ``equal`` (0), or ``over`` and a metric's,
    what a training has over a fixed model.
    """
    world = draw_world(generator, SIZES[split])
    one, other = (train(generator, world, seeds, shift) for _ in range(2))
    fixed = train(generator, world, 1, 0.0, fixed=True)
    sides: list[dict[str, Side]] = [
        comparison.score_sides(each, metrics) for each in (one, other, fixed)
    ]
    found = {}
    for metric in metrics:
        left, right, base = (side[metric] for side in sides)
        found[f"mean {metric}"] = comparison.plausible([left], one), metric
        found[f"trainings {metric}"] = comparison.plausible([left, right], one), "equal"
        found[f"baseline {metric}"] = comparison.plausible([left, base], one), f"over {metric}"
    among = _in_bin(world)
    drawn = draw_entities(len(SIZES[split]), RESAMPLES, seed=0)
    wrong = (one.decisions != one.labels)[:, among]
    found["mean error"] = resample_rate(wrong, world.entities[among], drawn, seed=1), "error"
    return found


def simulate(
    split: str, seeds: int, shift: float, metrics: tuple[str, ...], times: int
) -> list[dict[str, Any]]:
    """Return a row for each statement of the report: how often it is true.

    ``covered`` is the share of 95 % intervals with the truth in them; ``rejected`` that of
    p-values below .05 for trainings that are equal.
    """
    truth = _truths(split, shift)
    generator = np.random.default_rng(seeds)
    covered: dict[str, list[bool]] = {}
    rejected: dict[str, list[bool]] = {}
    for _ in range(times):
        for name, (values, true) in judge(generator, split, seeds, shift, metrics).items():
            low, high = interval(values)
            covered.setdefault(name, []).append(low <= truth[true] <= high)
            rejected.setdefault(name, []).append(two_sided_p(values) < comparison.LEVEL)
    return [
        {
            "what": name.split()[0],
            "metric": name.split()[1],
            "split": split,
            "seeds": seeds,
            "covered": float(np.mean(found)),
            **({"rejected": float(np.mean(rejected[name]))} if "trainings" in name else {}),
        }
        for name, found in covered.items()
    ]


def _truths(split: str, shift: float) -> Mapping[str, float]:
    scores = true_scores(SIZES[split], shift)
    fixed = true_scores(SIZES[split], 0.0, fixed=True)
    over = {f"over {name}": value - fixed[name] for name, value in scores.items()}
    return {**scores, **over, "equal": 0.0}


def deviation(shift: float) -> float:
    """Return the standard deviation of F1 over the seeds of a training."""
    generator = np.random.default_rng(7)
    world = draw_world(generator, SIZES["test"])
    values = comparison.point_scores(train(generator, world, 300, shift), ["f1"])["f1"]
    return float(values.std(ddof=1))


def main() -> int:
    """Return 0 after printing the rows and saving them."""
    parser = argparse.ArgumentParser(
        allow_abbrev=False, description="Measure if intervals and tests keep their promise."
    )
    parser.add_argument("--times", type=int, default=1000, help="simulated data sets of each kind")
    args = parser.parse_args()
    comparison.RESAMPLES = RESAMPLES
    rows = []
    for threshold, shift in SHIFTS.items():
        for seeds in (5, 3, 1):
            found = simulate("test", seeds, shift, COUNTED, args.times)
            rows += [{"threshold": threshold, **row} for row in found]
    for split, seeds in (("test", 3), ("validation", 5)):  # the report's AUC, and the ablations'
        found = simulate(split, seeds, SHIFTS["threshold"], ("auc",), args.times // 2)
        rows += [{"threshold": "none", **row} for row in found if row["metric"] == "auc"]
    Console(width=160).print(pd.DataFrame(rows).round(3).to_string())
    deviations = {name: deviation(shift) for name, shift in SHIFTS.items()}
    numbers = {"times": args.times, "deviations": deviations, "rows": rows}
    print(save_record("statistics", numbers))
    return 0


if __name__ == "__main__":
    sys.exit(main())
