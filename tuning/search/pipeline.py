"""A whole search: draw, confirm, freeze, score once on test, ablate; resumable between trials."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
import pandas as pd

from measures.objective import SEED_MEAN
from tuning.execution.context import ExecutionContext, open_context
from tuning.execution.outcomes import Outcome, finished_trials
from tuning.execution.progress import encoding_progress
from tuning.execution.ray_session import ray_session
from tuning.execution.trial_checkpoint import STATES
from tuning.search.ablation import Ablation, ablation_configs, ablation_rows, plan_ablations
from tuning.search.champion import ChampionScores, score_champion
from tuning.search.confirmation import (
    Retrained,
    SearchError,
    best_configurations,
    choose_champion,
    fresh_seeds,
    retrain,
    seed_values,
)
from tuning.search.context import Search, reconcile
from tuning.search.sampling import STAGE, run_search
from tuning.search.study import close_stale
from tuning.tracking.launch_folder import LaunchSettings
from tuning.tracking.launch_log import PARENT
from tuning.tracking.record import keep_inputs
from tuning.training.inputs import build_inputs


@dataclass(frozen=True, kw_only=True)
class SearchResult:
    """What a search ends with.

    ``best`` is the trial of the search that became champion, ``confirmed`` all that were retrained
    by name, ``searched`` their trials, ``ablations`` a row a lever, ``tried`` all of any stage.
    """

    outcomes: list[Outcome]
    best: Outcome
    searched: dict[str, Outcome]
    champion: Retrained
    confirmed: dict[str, Retrained]
    scored: ChampionScores
    ablations: pd.DataFrame
    tried: list[Outcome]


def find_champion(search: Search) -> SearchResult:
    """Run all that is left of the search and return what came out.

    Raises:
        SearchError: If no trial finished, or no configuration could be confirmed.
    """
    launch, prepared = search.launch, search.launch.prepared
    finished = reconcile(search)
    with ray_session(launch.settings.address):
        keep_inputs(launch)
        context = open_context(launch, with_test=False)
        outcomes = finished + _draw(search, context, len(finished))
        best = best_configurations(outcomes, search.settings.confirm)
        if not best:
            launch.log.end_parent(failed=len(outcomes), summary={})
            raise SearchError(_all_failed(outcomes, launch.settings))
        confirmed = confirm(search, context, best)
        winner = choose_champion(confirmed, search.floor)
        champion = confirmed[winner]
        record_champion(search, champion)
        ablations = plan_ablations(
            champion.config, votes=prepared.pairs.has_votes, layers=prepared.encoder.layers
        )
        ablated = ablate(search, context, champion, ablations) if search.settings.ablations else {}
    retrained = [o for r in (*confirmed.values(), *ablated.values()) for o in r.outcomes]
    rows = ablation_rows(ablations, champion, ablated, search.floor)
    scored = _score(search, champion)
    found = best[list(confirmed).index(winner)]
    _log(search, champion, found, scored, rows)
    tried = list({o.key: o for o in (*outcomes, *retrained)}.values())
    failed = sum(outcome.cause is not None for outcome in tried)
    launch.log.end_parent(failed=failed, summary=found.metrics)
    (launch.settings.storage / STATES).remove()
    return SearchResult(
        outcomes=outcomes,
        best=found,
        searched=dict(zip(confirmed, best, strict=True)),
        champion=champion,
        confirmed=confirmed,
        scored=scored,
        ablations=rows,
        tried=tried,
    )


def _draw(search: Search, context: ExecutionContext, finished: int) -> list[Outcome]:
    left = search.settings.num_samples - finished
    if left <= 0:
        return []
    outcomes = run_search(context, search.study, search.sampler, left)
    values = {int(o.name): o.metrics[SEED_MEAN] for o in outcomes if SEED_MEAN in o.metrics}
    close_stale(search.study, search.sampler.launch, values, requeue=False)  # out of time
    return outcomes


def _all_failed(outcomes: list[Outcome], settings: LaunchSettings) -> str:
    causes = {outcome.cause for outcome in outcomes if outcome.cause}
    return (
        f"all {len(outcomes)} trials failed: {'; '.join(sorted(causes)[:3]) or 'no result'}; "
        f"their logs are in {settings.folder / STAGE}; the study keeps what was drawn"
    )


def record_champion(search: Search, champion: Retrained) -> None:
    """Write the champion down before test is opened.

    Raises:
        SearchError: If the launch that is resumed has another champion already.
    """
    text = json.dumps(champion.config.model_dump(exclude={"seed", "order_seed"}))
    if search.recorded_champion not in (None, text):
        raise SearchError(
            "the champion was written down before the search was interrupted and would now be "
            "another; resume with the settings it was started with"
        )
    search.launch.log.tag(PARENT, {"champion": text})


def confirm(
    search: Search, context: ExecutionContext, best: list[Outcome]
) -> dict[str, Retrained]:
    """Return the best configurations, retrained on fresh seeds."""
    configs = {f"best-{number}": outcome.config for number, outcome in enumerate(best, 1)}
    done = _done(search, "confirm")
    return retrain(context, configs, fresh_seeds(search.settings), "confirm", done)


def ablate(
    search: Search, context: ExecutionContext, champion: Retrained, ablations: list[Ablation]
) -> dict[str, Retrained]:
    """Return the ablations' configurations, retrained on the champion's seeds."""
    configs = ablation_configs(ablations, champion.config)
    done = _done(search, "ablation")
    return retrain(context, configs, fresh_seeds(search.settings), "ablation", done)


def _done(search: Search, stage: str) -> dict[str, Outcome]:
    """Return the outcomes of a stage that a resumed launch has behind it, by name."""
    names = [run.name for run in search.launch.log.children(stage)]
    return finished_trials(search.launch, stage, names)


def _score(search: Search, champion: Retrained) -> ChampionScores:
    launch, prepared = search.launch, search.launch.prepared
    depth = prepared.depth_of(champion.config)
    with encoding_progress(launch.console, prepared, depth) as advance:
        inputs = build_inputs(prepared, depth, launch.settings.output, advance)
    saved = [o.folder / "model" for o in champion.outcomes if o.folder is not None]
    return score_champion(champion.config, saved, inputs, prepared.pairs, launch.settings.folder)


def _log(
    search: Search, champion: Retrained, found: Outcome, scored: ChampionScores, rows: pd.DataFrame
) -> None:
    folder = search.launch.settings.folder / "champion"
    confirmed = float(np.mean(seed_values(champion, search.floor)))
    gaps = {
        "search_value": found.metrics[SEED_MEAN],
        "confirmed_value": confirmed,
        "gap_search_to_confirmed": found.metrics[SEED_MEAN] - confirmed,
        "gap_confirmed_to_test": confirmed - scored.metrics["test_f1_at_threshold"],
    }
    scored.scores.to_csv(folder / "scores.csv", index=False)
    scored.difference.to_csv(folder / "difference.csv", index=False)
    rows.to_csv(folder / "ablations.csv", index=False)
    params = champion.config.model_dump(exclude={"seed", "order_seed"})
    params["seeds"] = len(scored.by_seed)
    search.launch.log.log_champion(params, {**scored.metrics, **gaps}, folder)
