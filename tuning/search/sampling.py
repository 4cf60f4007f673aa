"""The first stage of a search: Optuna draws configurations, Ray Tune trains or stops them."""

from __future__ import annotations

import math
import sys
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import optuna
from optuna.trial import BaseTrial
from ray.air.constants import TRAINING_ITERATION
from ray.tune.schedulers import (
    ASHAScheduler,
    FIFOScheduler,
    MedianStoppingRule,
    TrialScheduler,
)
from ray.tune.search.optuna import OptunaSearch

from measures.objective import OBJECTIVE_TAG, SEED_MEAN
from tuning.config.experiment import TrialConfig
from tuning.config.search_space import SearchSettings, Space
from tuning.execution.context import ExecutionContext, concurrent_trials
from tuning.execution.outcomes import Outcome, clear
from tuning.execution.trial_checkpoint import REPORT
from tuning.execution.trial_spec import TrialSpec
from tuning.execution.tuner import expect, fit
from tuning.search.startup import ResumableTPESampler, draw
from tuning.search.study import METRICS, has_room, storage_url, waiting
from tuning.search.trial import SHARE, run_search_trial
from tuning.system.sqlite_lock import lock_sqlite

STAGE = "search"


@dataclass(frozen=True, kw_only=True, slots=True)
class ConfigSampler:
    """Draws the configuration of a trial with Optuna and returns it as Ray passes it to a worker.

    It holds plain values only, because Ray pickles it.

    Args:
        space: Axes of the search space, by field.
        fixed: Fields of a trial before any is drawn.
        settings: Settings of the search.
        launch: Id of the launch; noted in the study beside each trial.
        train_pairs: Number of pairs in the training split.
        votes: Whether every pair has votes.
        folds: Number of folds that each trial trains on in place of its seeds; None without.
        search: Id of the launch whose search it draws for: another's, if this one joined it.
        count: Number of configurations that all drivers of that search draw together.
    """

    space: Space
    fixed: Mapping[str, Any]
    settings: SearchSettings
    launch: str
    train_pairs: int
    votes: bool
    folds: int | None = None
    search: str = ""
    count: int = sys.maxsize

    def __call__(self, trial: BaseTrial) -> dict[str, Any]:
        """Return a trial's specification under the key ``point``; note the launch in the study."""
        trial.set_user_attr("search", self.search or self.launch)  # first: ``has_room`` counts it
        trial.set_user_attr("launch", self.launch)
        config = TrialConfig(**draw(self.space, trial, self.fixed)).fit_to_data(
            pairs=self.train_pairs, votes=self.votes
        )
        first, count = self.settings.seed, self.folds or self.settings.seeds
        seeds = list(range(first, first + count))
        config = config.model_copy(update={"seed": first, "order_seed": first})
        spec = TrialSpec(
            trial=config,
            seeds=tuple(seeds),
            params={"folds" if self.folds else "seeds": count},
            tags={
                "stage": STAGE,
                "optuna_trial": str(trial.number),
                OBJECTIVE_TAG: self.settings.objective,
            },
        )
        return {"point": spec.to_point()}


class EpochSearch(OptunaSearch):
    """Optuna's search, which is told the value of an epoch under the epoch's own number.

    Ray counts the results of a trial that is resumed from 1 again, and Optuna ignores, with a
    warning each, what it was told before.
    """

    def __init__(self, space: ConfigSampler, **choices: Any) -> None:  # noqa: ANN401 - Ray's own
        super().__init__(space, **choices)
        self._last: dict[str, list[dict[str, Any]]] = {}  # report of the last epoch, by Ray's id

    def suggest(self, trial_id: str) -> dict[str, Any] | None:
        """Return the next configuration; FINISHED once all drivers have drawn what was planned.

        One driver draws at a time from a SQLite file: SQLite locks no row, so that two drivers
        could take one queued trial. A server locks the row of the trial itself.
        """
        sampler, study = cast("ConfigSampler", self._space), cast("optuna.Study", self._ot_study)
        with lock_sqlite(storage_url(study)), warnings.catch_warnings():
            # a study's server may be far away
            warnings.filterwarnings("ignore", "Define-by-run function passed in the `space`")
            drawn = super().suggest(trial_id)
        trial = self._ot_trials[trial_id]
        if has_room(study, trial.number, sampler.search or sampler.launch, sampler.count):
            return drawn
        study.tell(trial, state=optuna.trial.TrialState.FAIL)
        return cast("dict[str, Any]", self.FINISHED)  # a word, which Ray knows

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Report the value of a trial; before, its metrics to the search that was joined."""
        reports = (result or {}).get(REPORT) or self._last.pop(trial_id, [])
        sampler = cast("ConfigSampler", self._space)
        if reports and not error and sampler.search not in ("", sampler.launch):
            self._ot_trials[trial_id].set_user_attr(METRICS, reports[0]["best"])
        super().on_trial_complete(trial_id, result, error)

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Report the value of an epoch; the final result has none, and is told as the trial's."""
        if "epoch" not in result:
            return
        self._last[trial_id] = result.get(REPORT, [])
        with warnings.catch_warnings():
            # a trial whose state was damaged runs its first epochs again
            warnings.filterwarnings("ignore", "The reported value is ignored because this `step=")
            numbered = {**result, TRAINING_ITERATION: result["epoch"]}
            super().on_trial_result(trial_id, numbered)


class MedianOfEpochs(MedianStoppingRule):
    """Median stopping, which is not told the final result of a trial: that is of no epoch."""

    def on_trial_complete(
        self,
        tune_controller: Any,  # noqa: ANN401 - Ray's own
        trial: Any,  # noqa: ANN401 - Ray's own
        result: dict[str, Any],
    ) -> None:
        """Keep the result of a trial that was stopped at an epoch."""
        if SHARE in result:
            super().on_trial_complete(tune_controller, trial, result)


def run_search(
    context: ExecutionContext, study: optuna.Study, sampler: ConfigSampler, count: int
) -> list[Outcome]:
    """Draw and train ``count`` configurations; return their outcomes, sorted by trial number.

    Args:
        context: Where the trials run.
        study: The study that proposes and keeps them.
        sampler: Turns what Optuna draws into trials.
        count: Number of configurations, without those that finished before a resumption.
    """
    settings = sampler.settings
    searcher = EpochSearch(
        sampler,
        metric=SEED_MEAN,
        mode="max",
        sampler=ResumableTPESampler(settings.seed, settings.startup_trials),
        study_name=study.study_name,
        storage=study._storage,  # pyright: ignore[reportArgumentType, reportPrivateUsage]
    )
    clear(context.settings.folder / STAGE, [f"{number:03d}" for number in waiting(study)])
    outcomes = fit(
        context,
        run_search_trial,
        STAGE,
        expect(context, count),
        metric=SEED_MEAN,
        search_alg=searcher,
        scheduler=make_scheduler(settings, sampler),
        num_samples=count,
        max_concurrent_trials=settings.max_concurrent or concurrent_trials(context),
        time_budget_s=settings.time_budget,
    )
    return sorted(outcomes, key=lambda outcome: outcome.name)


def make_scheduler(settings: SearchSettings, sampler: ConfigSampler) -> TrialScheduler:
    """Return the scheduler that stops trials early; the tuner gives it metric and direction.

    Trials are compared at equal shares of their epochs, of which ``min_steps`` gives some more:
    at the same epoch the learning rate of a short one has fallen further. ASHA (Li et al., 2020)
    lets the better half of the trials pass at 1, 2, 4, ... times the grace period. Median stopping
    (Golovin et al., 2017) ends trials that are worse than the median of the others. Both compare
    the values of the best epochs so far. A grace period as long as a trial stops none.
    """
    epochs = sampler.fixed["epochs"]
    grace = settings.grace_period / epochs
    if settings.scheduler == "none" or grace >= 1:
        return FIFOScheduler()
    if settings.scheduler == "median":
        return MedianOfEpochs(
            time_attr=SHARE,
            grace_period=grace,
            min_samples_required=3,
            # never pause: Ray has no checkpoint to resume from
            min_time_slice=math.inf,  # pyright: ignore[reportArgumentType] - it compares
        )
    return ASHAScheduler(
        time_attr=SHARE,
        grace_period=grace,  # pyright: ignore[reportArgumentType] - it divides and compares
        max_t=1 - 0.5 / epochs,  # pyright: ignore[reportArgumentType] - not at the last epoch
        reduction_factor=2,
        stop_last_trials=False,  # those that get beyond max_t
    )
