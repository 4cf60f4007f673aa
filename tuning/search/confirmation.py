"""What configurations are worth on fresh seeds: which is champion, which levers help."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from measures.objective import SEED_MEAN, is_sound, search_value
from tuning.config.experiment import TrialConfig
from tuning.config.search_space import SearchSettings
from tuning.execution.context import ExecutionContext
from tuning.execution.outcomes import Outcome
from tuning.execution.trial_spec import TrialSpec
from tuning.execution.tuner import run_specs

SEEDS_APART = 1000  # from the seeds of a search to the fresh ones: none is used twice


class SearchError(RuntimeError):
    """A search that ends without a champion; the message says why and what is kept."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Retrained:
    """A configuration with what became of it in each fresh seed, in the order of the seeds."""

    config: TrialConfig
    outcomes: list[Outcome]


def best_configurations(outcomes: list[Outcome], count: int) -> list[Outcome]:
    """Return the best different configurations by what Optuna was told, sound ones first."""
    finished = [o for o in outcomes if o.cause is None and SEED_MEAN in o.metrics]

    def key(outcome: Outcome) -> tuple[bool, float, str]:
        return not is_sound(outcome.metrics), -outcome.metrics[SEED_MEAN], outcome.name

    different: dict[str, Outcome] = {}
    for outcome in sorted(finished, key=key):
        different.setdefault(repr(outcome.config), outcome)
    return list(different.values())[:count]


def fresh_seeds(settings: SearchSettings) -> list[int]:
    """Return seeds that no trial of the search had."""
    first = settings.seed + SEEDS_APART
    return list(range(first, first + settings.fresh_seeds))


def retrain(
    context: ExecutionContext,
    configs: Mapping[str, TrialConfig],
    seeds: list[int],
    stage: str,
    done: Mapping[str, Outcome],
) -> dict[str, Retrained]:
    """Train each configuration on each seed, order and dropout drawn anew; return them by name.

    Args:
        context: Where they run.
        configs: By name.
        seeds: Of weights, order and dropout together.
        stage: What the log says they are for.
        done: Outcomes of a launch that is resumed, by the trial's name.
    """
    own = {
        f"{name}-seed-{seed}": config.model_copy(update={"seed": seed, "order_seed": None})
        for name, config in configs.items()
        for seed in seeds
    }
    specs = [
        TrialSpec(name=name, trial=config, tags={"stage": stage, "of": name})
        for name, config in own.items()
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


def choose_champion(confirmed: Mapping[str, Retrained], floor: float) -> str:
    """Return the name of the configuration with the best mean validation score.

    A seed that failed, collapsed or diverged counts as "all positive".

    Raises:
        SearchError: If every seed of every configuration failed.
    """
    if all(outcome.cause is not None for r in confirmed.values() for outcome in r.outcomes):
        raise SearchError("no configuration could be retrained: every fresh seed failed")
    return max(confirmed, key=lambda name: float(np.mean(seed_values(confirmed[name], floor))))


def seed_values(retrained: Retrained, floor: float) -> list[float]:
    """Return what each seed is worth."""
    return [
        floor if outcome.cause is not None else search_value(outcome.metrics, floor)
        for outcome in retrained.outcomes
    ]
