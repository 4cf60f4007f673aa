"""What configurations are worth on fresh seeds: which is champion, which levers help."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tuning.config.experiment import TrialConfig
from tuning.config.search_space import SearchSettings
from tuning.execution.context import ExecutionContext
from tuning.execution.outcomes import Outcome
from tuning.execution.tuner import run_points


@dataclass(frozen=True, kw_only=True, slots=True)
class Retrained:
    """A configuration with what became of it in each fresh seed, in the order of the seeds."""

    config: TrialConfig
    outcomes: list[Outcome]


def best_configurations(outcomes: list[Outcome], count: int) -> list[Outcome]:
    """Return the best different configurations by what Optuna was told, sound ones first."""
    finished = [o for o in outcomes if o.cause is None and "objective" in o.metrics]

    def key(outcome: Outcome) -> tuple[bool, float, str]:
        flagged = outcome.metrics.get("collapsed") or outcome.metrics.get("diverged")
        return bool(flagged), -outcome.metrics["objective"], outcome.name

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
    points = {
        name: {"trial": config.model_dump(), "tags": {"stage": stage, "of": name}}
        for name, config in own.items()
        if name not in done or done[name].config != config
    }
    ran = run_points(context, points, stage) if points else {}
    outcomes = {**done, **ran}
    return {
        name: Retrained(
            config=config, outcomes=[outcomes[f"{name}-seed-{seed}"] for seed in seeds]
        )
        for name, config in configs.items()
    }


SEEDS_APART = 1000  # seeds of trials, of what is confirmed: none is used twice
VALUE = "val_f1_at_threshold"


class SearchError(RuntimeError):
    """A search that ends without a champion; the message says why and what is kept."""


def search_value(metrics: Mapping[str, float], floor: float) -> float:
    """Return what a trial is worth to a search: of a flagged one, what "all positive" scores.

    A search's own trial says it itself: the mean over its seeds, of which some may be flagged.
    """
    if "objective" in metrics:
        return metrics["objective"]
    flagged = metrics.get("collapsed") or metrics.get("diverged")
    return floor if flagged else max(metrics[VALUE], floor)


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
