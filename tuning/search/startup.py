"""Configurations of a space: spread evenly at the start of a search, then drawn by TPE."""

from __future__ import annotations

import itertools
import math
import warnings
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.trial import BaseTrial, FrozenTrial
from scipy.stats import qmc

from tuning.config.search_space import Axis, SearchSettings, Space, is_active

_DOZEN, _SCRAMBLINGS = 12, 64
_ATTRIBUTE = "startup"  # of a trial that the study got from here


def enqueue_startup(
    study: optuna.Study, space: Space, fixed: Mapping[str, Any], search: SearchSettings
) -> None:
    """Queue what a search tries before TPE models its trials, beyond what it was given.

    Trials that a warm start or ``try_first`` gave do not count, since they lie where somebody
    looked already. A study that has trials of an earlier search needs fewer, or none; the
    sequence goes on where that search left it, so that none is tried twice.

    Args:
        study: Study of the search.
        space: Axes of the search space.
        fixed: Fields of a trial before any is drawn.
        search: Settings of the search.
    """
    trials = study.get_trials(deepcopy=False)
    drawn = sum(origin(trial) in ("start-up", "TPE") for trial in trials)
    queued = sum(trial.state == optuna.trial.TrialState.WAITING for trial in trials)
    count = max(0, min(search.startup_trials - drawn, search.num_samples - queued))
    begun = sum(_ATTRIBUTE in trial.user_attrs for trial in trials)
    for values in spread(space, fixed, begun + count, search.seed)[begun:]:
        study.enqueue_trial(values, user_attrs={_ATTRIBUTE: True})


def origin(trial: FrozenTrial) -> str:
    """Return who chose a trial: ``warm start``, ``given`` (``try_first``), ``start-up``, ``TPE``.

    What TPE draws before ``startup_trials`` have finished is drawn at random.
    """
    if _ATTRIBUTE in trial.user_attrs:
        return "start-up"
    if "run_id" in trial.user_attrs:
        return "warm start"
    return "given" if "fixed_params" in trial.system_attrs else "TPE"


def spread(space: Space, fixed: Mapping[str, Any], count: int, seed: int) -> list[dict[str, Any]]:
    """Return ``count`` configurations, each with the values of the axes that are active in it.

    Each axis is a dimension of a Sobol sequence (1967), scrambled (Owen, 1998): the values of
    every axis, and most pairs of them, are spread more evenly than random ones would be. Of some
    scramblings the one whose first dozen combines the choices of any two axes most evenly is
    taken, so that each head meets each optimizer.

    Args:
        space: Axes in the order in which they are drawn.
        fixed: Fields of a trial before any is drawn.
        count: Number of configurations.
        seed: Seed of the scrambling.
    """
    if not count or not space:
        return [{} for _ in range(count)]
    size = math.ceil(math.log2(max(count, _DOZEN)))
    sequences = [
        qmc.Sobol(len(space), scramble=True, rng=[seed, number]).random_base2(size)
        for number in range(_SCRAMBLINGS)
    ]
    best = min(sequences, key=lambda points: _unevenness(space, points[:_DOZEN]))
    points = best[:count]
    return [_configuration(space, fixed, dict(zip(space, each, strict=True))) for each in points]


def _unevenness(space: Space, points: np.ndarray) -> tuple[int, int]:
    """Return minus the combinations of choices that any two axes have, and how uneven all are.

    Unevenness is the sum of squared counts of combinations and of single choices.

    Args:
        space: Axes, the columns of the points.
        points: Numbers in [0, 1), float (count, axes).
    """
    drawn = [
        [repr(value_at(axis, share)) for share in column]
        for axis, column in zip(space.values(), points.T, strict=True)
        if axis.choices is not None and not axis.when
    ]
    combined = [Counter(zip(*pair, strict=True)) for pair in itertools.combinations(drawn, 2)]
    counts = [*combined, *map(Counter, drawn)]
    squares = sum(count**2 for counter in counts for count in counter.values())
    return -sum(map(len, combined)), squares


def _configuration(
    space: Space, fixed: Mapping[str, Any], point: Mapping[str, float]
) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, axis in space.items():
        if is_active(axis, {**fixed, **values}):
            values[name] = value_at(axis, point[name])
    return values


def value_at(axis: Axis, share: float) -> Any:  # noqa: ANN401 - values of any field
    """Return the value at a share in [0, 1) of the axis; equal shares are equally likely."""
    if axis.choices is not None:
        return axis.choices[int(share * len(axis.choices))]
    low, high = axis.low or 0, axis.high or 0
    is_whole = isinstance(low, int) and isinstance(high, int)
    start, end = (low - 0.5, high + 0.5) if is_whole else (low, high)
    if axis.log:
        found = math.exp(math.log(start) + share * (math.log(end) - math.log(start)))
    else:
        found = start + share * (end - start)
    found = min(max(found, low), high)
    return round(found) if is_whole else float(found)


class ResumableTPESampler(optuna.samplers.TPESampler):
    """Multivariate TPE (Bergstra et al., 2011; Falkner et al., 2018) that a crash does not change.

    Its random numbers depend on its seed and the trial's number alone, not on the draws before.

    Args:
        seed: Seed of all draws.
        startup_trials: Number of finished trials before which it draws at random.
    """

    def __init__(self, seed: int, startup_trials: int) -> None:
        with warnings.catch_warnings():  # "group" may change, says Optuna; its version is pinned
            warnings.simplefilter("ignore", ExperimentalWarning)
            super().__init__(
                seed=seed,
                multivariate=True,
                group=True,  # fields that are drawn together are modelled together
                constant_liar=True,
                n_startup_trials=startup_trials,
            )
        self._seed = seed

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """Seed the random numbers of this trial; Optuna has no public way to do this."""
        for state in (self._rng, self._random_sampler._rng):
            state.rng.seed([self._seed, trial.number])
        super().before_trial(study, trial)

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Return what is modelled; its groups are sorted, since Optuna's order is not stable."""
        found = super().infer_relative_search_space(study, trial)
        if self._search_space_group is not None:
            self._search_space_group.search_spaces.sort(key=sorted)
        return found


def draw(space: Space, trial: BaseTrial, fixed: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``fixed`` with the values that Optuna proposes for the active axes."""
    values = dict(fixed)
    for name, axis in space.items():
        if is_active(axis, values):
            values[name] = _suggest(trial, name, axis)
    return values


def _suggest(trial: BaseTrial, name: str, axis: Axis) -> Any:  # noqa: ANN401 - values of any field
    if axis.choices is not None:
        return trial.suggest_categorical(name, axis.choices)
    if isinstance(axis.low, int) and isinstance(axis.high, int):
        return trial.suggest_int(name, axis.low, axis.high, log=axis.log)
    return trial.suggest_float(name, float(axis.low or 0), float(axis.high or 0), log=axis.log)
