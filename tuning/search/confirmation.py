"""Confirmation: the best configurations retrained on fresh seeds, and the choice of a champion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from measures.objective import SEED_MEAN, Objective, flags_of, is_sound
from tuning.config.experiment import TrialConfig
from tuning.config.search_space import SearchSettings
from tuning.execution.context import ExecutionContext
from tuning.execution.outcomes import Outcome
from tuning.execution.trial_spec import TrialSpec
from tuning.execution.tuner import run_specs

SEEDS_APART = 1000  # from a search's first seed to the first fresh one, so that none is used twice


class SearchError(RuntimeError):
    """A search that ends without a champion; the message has the reason and what is kept."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Retrained:
    """A configuration with its outcome on each fresh seed, in the order of the seeds."""

    config: TrialConfig
    outcomes: list[Outcome]


def best_configurations(outcomes: list[Outcome], count: int) -> list[Outcome]:
    """Return one outcome for each of the best ``count`` configurations, best first.

    They are ordered by the value that was reported to Optuna; trials that collapsed or diverged
    come after all others, and those without a value are left out.
    """
    finished = [o for o in outcomes if o.cause is None and SEED_MEAN in o.metrics]

    def key(outcome: Outcome) -> tuple[bool, float, str]:
        return not is_sound(outcome.metrics), -outcome.metrics[SEED_MEAN], outcome.name

    different: dict[str, Outcome] = {}
    for outcome in sorted(finished, key=key):
        different.setdefault(repr(outcome.config), outcome)
    return list(different.values())[:count]


def fresh_seeds(settings: SearchSettings) -> list[int]:
    """Return the seeds of the confirmation; no trial of the search used any of them."""
    first = settings.seed + SEEDS_APART
    return list(range(first, first + settings.fresh_seeds))


def retrain(
    context: ExecutionContext,
    configs: Mapping[str, TrialConfig],
    seeds: list[int],
    stage: str,
    done: Mapping[str, Outcome],
) -> dict[str, Retrained]:
    """Train each configuration on each seed and return the results by configuration name.

    A seed fixes the initial weights, the order of the batches and the dropout.

    Args:
        context: Where the trials run.
        configs: Configurations by name.
        seeds: Seeds, the same for every configuration.
        stage: Stage in the log: ``confirm`` or ``ablation``.
        done: Outcomes that a resumed launch already has, by trial name; they are not run again.
    """
    trials = {
        f"{name}-seed-{seed}": config.model_copy(update={"seed": seed, "order_seed": None})
        for name, config in configs.items()
        for seed in seeds
    }
    specs = [
        TrialSpec(name=name, trial=config, tags={"stage": stage, "of": name})
        for name, config in trials.items()
        if name not in done or done[name].config != config
    ]
    ran = run_specs(context, specs, stage) if specs else {}
    outcomes = {**done, **ran}
    return {
        name: Retrained(
            config=config, outcomes=[outcomes[f"{name}-seed-{seed}"] for seed in seeds]
        )
        for name, config in configs.items()
    }


def choose_champion(confirmed: Mapping[str, Retrained], objective: Objective) -> str:
    """Return the name of the configuration with the best mean value over its seeds.

    Args:
        confirmed: Retrained configurations by name.
        objective: What they are ranked by, on validation.

    Raises:
        SearchError: If every seed of every configuration failed or is flagged.
    """
    outcomes = [outcome for retrained in confirmed.values() for outcome in retrained.outcomes]
    if not any(outcome.cause is None and is_sound(outcome.metrics) for outcome in outcomes):
        reasons = {reason for o in outcomes for reason in flags_of(o.metrics) or ["failed"]}
        raise SearchError(
            "no champion: of the best configurations every fresh seed failed or is flagged "
            f"({', '.join(sorted(reasons))}); other learning rates or more epochs may learn"
        )
    return max(confirmed, key=lambda name: float(np.mean(seed_values(confirmed[name], objective))))


def seed_values(retrained: Retrained, objective: Objective) -> list[float]:
    """Return the value of each seed; the floor for one that failed or is not sound."""
    return [
        objective.floor if outcome.cause is not None else objective.value(outcome.metrics)
        for outcome in retrained.outcomes
    ]
