"""From a prepared search to its champion: draw and stop trials, retrain the best, ablate."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import optuna
import ray
from ray import tune
from ray.tune.schedulers import (
    ASHAScheduler,
    FIFOScheduler,
    MedianStoppingRule,
    TrialScheduler,
)
from ray.tune.search.optuna import OptunaSearch

from tuning.callbacks import Outcome, TrialLog
from tuning.config import TrialConfig
from tuning.finished import clear
from tuning.launch import run_config, run_points, run_tuner, trainable
from tuning.levers import Ablation
from tuning.progress import Progress
from tuning.search_trial import run_search_trial
from tuning.space import SearchSettings
from tuning.study import SEEDS_APART, NumberedSampler, Proposer, waiting
from tuning.under_way import OBJECTIVE
from tuning.workshop import Workshop


@dataclass(frozen=True, kw_only=True, slots=True)
class Retrained:
    """A configuration with what became of it in each fresh seed, in the order of the seeds."""

    config: TrialConfig
    outcomes: list[Outcome]


def run_search(
    shop: Workshop, study: optuna.Study, proposer: Proposer, count: int, places: int
) -> list[Outcome]:
    """Draw and train ``count`` configurations; return what became of each.

    Args:
        shop: Where they run.
        study: Where Optuna keeps them.
        proposer: Turns its proposals into points.
        count: How many; those of a resumed launch that finished before are not among them.
        places: How many trials the machine runs at a time.
    """
    settings = proposer.settings
    searcher = OptunaSearch(
        proposer,
        metric=OBJECTIVE,
        mode="max",
        sampler=NumberedSampler(settings.seed, settings.startup_trials),
        study_name=study.study_name,
        storage=study._storage,  # pyright: ignore[reportArgumentType, reportPrivateUsage]
    )
    clear(shop.settings.folder / "search", [f"{number:03d}" for number in waiting(study)])
    with Progress(shop.console, count) as progress:
        log = TrialLog(shop, progress)
        tuner = tune.Tuner(
            trainable(run_search_trial, shop),
            tune_config=tune.TuneConfig(
                metric=OBJECTIVE,
                mode="max",
                search_alg=searcher,
                scheduler=make_scheduler(settings, proposer),
                num_samples=count,
                max_concurrent_trials=settings.max_concurrent or places,
                time_budget_s=settings.time_budget,
                reuse_actors=True,
                trial_name_creator=_name,
                trial_dirname_creator=_name,
            ),
            run_config=run_config(log, shop.settings, "search"),
        )
        run_tuner(tuner, shop.settings.place)
        log.close()
    return sorted(log.outcomes.values(), key=lambda outcome: outcome.name)


def _name(trial: Any) -> str:  # noqa: ANN401 - Ray's trial
    return f"{int(trial.config['point']['tags']['optuna_trial']):03d}"


def make_scheduler(settings: SearchSettings, proposer: Proposer) -> TrialScheduler:
    """Return what stops trials early; metric and direction come from the tuner.

    ASHA (Li et al., 2020) halves what remains at 2, 4, 8 ... times the grace period's start, and
    median stopping (Golovin et al., 2017) ends what is below the others' median. Both compare the
    running best, in which an all-positive epoch is worth no more than "all positive".
    """
    if settings.scheduler == "none":
        return FIFOScheduler()
    if settings.scheduler == "median":
        return MedianStoppingRule(
            time_attr="epoch",
            grace_period=settings.grace_period,
            min_samples_required=3,
            min_time_slice=sys.maxsize,  # never pause: a trial has no checkpoint to go on from
        )
    epochs = proposer.space.get("epochs")
    longest = max(epochs.ends) if epochs else proposer.fixed["epochs"]
    longest = max(
        longest, proposer.fixed["min_steps"]
    )  # small data gets more epochs, at most these
    return ASHAScheduler(
        time_attr="epoch",
        grace_period=settings.grace_period,
        max_t=max(longest, settings.grace_period) + 1,
        reduction_factor=2,
    )


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
    shop: Workshop,
    configs: Mapping[str, TrialConfig],
    seeds: list[int],
    stage: str,
    done: Mapping[str, Outcome],
) -> dict[str, Retrained]:
    """Train each configuration on each seed, order and dropout drawn anew; return them by name.

    Args:
        shop: Where they run.
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
    ran = run_points(shop, points, stage) if points else {}
    outcomes = {**done, **ran}
    return {
        name: Retrained(
            config=config, outcomes=[outcomes[f"{name}-seed-{seed}"] for seed in seeds]
        )
        for name, config in configs.items()
    }


def ablation_configs(ablations: list[Ablation], champion: TrialConfig) -> dict[str, TrialConfig]:
    """Return the configurations of the ablations that the champion itself does not stand for."""
    found: dict[str, TrialConfig] = {}
    for ablation in ablations:
        for side, config in (("with", ablation.with_it), ("without", ablation.without)):
            if config != champion:
                found[f"{side}-{ablation.lever.field}"] = config
    return found


def places_for(shop: Workshop) -> int:
    """Return how many trials run at a time: as many as cores, or shares of GPUs, allow."""
    have = ray.cluster_resources()
    wanted = {"CPU": shop.resources["cpu"], "GPU": shop.resources.get("gpu", 0)}
    return max(1, min(int(have.get(kind, 0) / need) for kind, need in wanted.items() if need))
