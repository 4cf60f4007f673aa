"""Confirmation: a race of the best configurations, and a final that chooses the champion.

The race drops what was only lucky in the search, cheaply (Maron and Moore, 1994). Its seeds are
not those of the final: a finalist was chosen for having done well on them, so a mean with them
would be as optimistic as the search's own. On seeds that took part in no earlier choice the
final's means are fair, but for the choice of one of a few finalists. That costs ``finalists``
times ``racing_seeds`` trainings more than counting the racing seeds again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from measures.objective import FLAGS, SEED_MEAN, Objective, flags_of, is_sound
from tuning.config.experiment import TrialConfig
from tuning.config.search_space import SearchSettings
from tuning.execution.context import ExecutionContext
from tuning.execution.outcomes import Outcome
from tuning.execution.trial_spec import TrialSpec
from tuning.execution.tuner import run_specs

RACE, FINAL = "race", "confirm"  # stages in the log
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


def racing_seeds(settings: SearchSettings) -> list[int]:
    """Return the seeds of the race; neither the search nor the final has any of them."""
    first = settings.seed + SEEDS_APART + settings.fresh_seeds
    return list(range(first, first + settings.racing_seeds))


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
        stage: Stage in the log: ``race``, ``confirm`` or ``ablation``.
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

    Of equal means, as of two at the floor, that of more sound seeds is better.

    Args:
        confirmed: Retrained configurations by name.
        objective: What they are ranked by, on validation.

    Raises:
        SearchError: If every seed of every configuration failed or is flagged.
    """
    sound = {
        name: sum(o.cause is None and is_sound(o.metrics) for o in retrained.outcomes)
        for name, retrained in confirmed.items()
    }
    if not any(sound.values()):
        outcomes = [o for retrained in confirmed.values() for o in retrained.outcomes]
        reasons = {reason for o in outcomes for reason in flags_of(o.metrics) or ["failed"]}
        rare = FLAGS["no_positive"] in reasons
        raise SearchError(
            "no champion: of the best configurations every fresh seed failed or is flagged "
            f"({', '.join(sorted(reasons))}); other learning rates or more epochs may learn"
            + ("; rare paraphrases need class_weight: balanced" if rare else "")
        )

    def key(name: str) -> tuple[float, int]:
        return float(np.mean(seed_values(confirmed[name], objective))), sound[name]

    return max(confirmed, key=key)


def choose_finalists(
    raced: Mapping[str, Retrained], count: int, objective: Objective
) -> list[str]:
    """Return the names of the ``count`` best by mean value over the racing seeds.

    Args:
        raced: Retrained configurations by name, in the order of the search, which decides ties.
        count: Number of finalists.
        objective: As for ``choose_champion``.
    """

    def key(name: str) -> float:
        return -float(np.mean(seed_values(raced[name], objective)))

    return sorted(raced, key=key)[:count]


def round_table(
    rounds: Mapping[str, Mapping[str, Retrained]],
    chosen: Mapping[str, Collection[str]],
    searched: Mapping[str, Outcome],
    objective: Objective,
) -> pd.DataFrame:
    """Return one row per round, configuration and seed, in the order of the search.

    The columns are ``round`` (its stage), ``configuration``, ``trial`` (of the search), ``head``,
    ``encoding``, ``searched`` (value in the search), ``seed``, ``value``, and ``chosen``: whether
    the configuration went on to the next round or became the champion.

    Args:
        rounds: Retrained configurations by name, by stage.
        chosen: Names of those that were chosen, by stage.
        searched: Trials of the search by the same names.
        objective: As for ``choose_champion``.
    """
    rows = [
        {
            "round": stage,
            "configuration": name,
            "trial": outcome.name,
            "head": outcome.config.head,
            "encoding": outcome.config.encoding,
            "searched": outcome.metrics[SEED_MEAN],
            "seed": trained.config.seed,
            "value": value,
            "chosen": name in chosen[stage],
        }
        for stage, group in rounds.items()
        for name, outcome in searched.items()
        if name in group
        for trained, value in zip(
            group[name].outcomes, seed_values(group[name], objective), strict=True
        )
    ]
    return pd.DataFrame(rows)


def seed_values(retrained: Retrained, objective: Objective) -> list[float]:
    """Return the value of each seed; the floor for one that failed or is not sound."""
    return [
        objective.floor if outcome.cause is not None else objective.value(outcome.metrics)
        for outcome in retrained.outcomes
    ]
