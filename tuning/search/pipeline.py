"""The stages of a search in order: draw, confirm, record the champion, ablate, score on test."""

from __future__ import annotations

import json

import pandas as pd

from measures.objective import SEED_MEAN
from tuning.config.trial_values import known_before
from tuning.execution.context import ExecutionContext, frozen_pass, open_context
from tuning.execution.outcomes import Outcome, finished_trials
from tuning.execution.progress import encoding_progress
from tuning.execution.trial_checkpoint import STATES
from tuning.search.ablation import ablation_configs, ablation_rows, plan_ablations
from tuning.search.champion import ChampionScores, score_champion
from tuning.search.confirmation import (
    FINAL,
    RACE,
    Retrained,
    SearchError,
    best_configurations,
    choose_champion,
    choose_finalists,
    fresh_seeds,
    racing_seeds,
    retrain,
    round_table,
)
from tuning.search.context import Search, reconcile, tag_origins, take_joined
from tuning.search.result import SearchResult, greedy_ensemble, log_result
from tuning.search.sampling import STAGE, run_search
from tuning.search.study import announce, close_stale, hand_over, queued
from tuning.tracking.launch_folder import LaunchSettings
from tuning.tracking.launch_log import PARENT
from tuning.tracking.record import keep_inputs
from tuning.training.inputs import build_inputs


def find_champion(search: Search) -> SearchResult:
    """Run the stages that a search has left and return its result.

    Needs a Ray session. A search that is resumed repeats no finished trial.

    Raises:
        SearchError: If every trial failed, no configuration could be retrained, or a resumed
            search comes to another champion than the recorded one.
    """
    finished = reconcile(search)
    keep_inputs(search.launch)
    context = open_context(search.launch, with_test=False)
    outcomes = finished + _draw(search, context, len(finished))
    tag_origins(search)
    searched = _best_or_fail(search, outcomes)
    rounds, chosen = confirm(search, context, searched)
    (winner,) = chosen[FINAL]
    champion = rounds[FINAL][winner]
    record_champion(search, champion)
    ablated, ablations = ablate(search, context, champion)
    retrained = [each for group in (*rounds.values(), ablated) for each in group.values()]
    tried = [*outcomes, *(outcome for group in retrained for outcome in group.outcomes)]
    result = SearchResult(
        best=searched[winner],
        champion=champion,
        rounds=round_table(rounds, chosen, searched, search.objective),
        scored=_score(search, champion),
        greedy=greedy_ensemble(rounds, champion),
        ablations=ablations,
        tried=list({outcome.key: outcome for outcome in tried}.values()),
    )
    log_result(search, result)
    (search.launch.settings.storage / STATES).remove()
    return result


def _draw(search: Search, context: ExecutionContext, finished: int) -> list[Outcome]:
    """Draw and train the configurations that are left; return their outcomes.

    Those of drivers that joined the search come last.
    """
    study, launch = search.study, search.sampler.launch
    outcomes = _train(search, context, search.settings.num_samples - finished)
    joined = take_joined(search)
    while left := queued(study, launch):  # by a joined driver that was interrupted
        outcomes += _train(search, context, left)
        joined = take_joined(search)
    announce(study, launch, 0)
    return outcomes + joined


def _train(search: Search, context: ExecutionContext, left: int) -> list[Outcome]:
    if left <= 0:
        return []
    outcomes = run_search(context, search.study, search.sampler, left)
    values = {int(o.name): o.metrics[SEED_MEAN] for o in outcomes if SEED_MEAN in o.metrics}
    # trials that the time budget ended are still running in the study
    close_stale(search.study, search.sampler.launch, values, requeue=False)
    return outcomes


def join_search(search: Search) -> list[Outcome]:
    """Draw and train for the search of another driver; hand the results over and return them.

    Needs a Ray session. What an interruption leaves is queued for the other drivers.
    """
    log, sampler = search.launch.log, search.sampler
    context = open_context(search.launch, with_test=False)
    try:
        outcomes = run_search(context, search.study, sampler, sampler.count)
    except BaseException:
        log.give_up("interrupted; its search goes on without it")
        raise
    finally:
        runs = [run for run in log.children(STAGE) if SEED_MEAN in run.metrics]
        metrics = {int(run.tags["optuna_trial"]): run.metrics for run in runs}
        hand_over(search.study, sampler.launch, metrics)
    log.end_parent(failed=sum(outcome.cause is not None for outcome in outcomes), summary={})
    return outcomes


def _best_or_fail(search: Search, outcomes: list[Outcome]) -> dict[str, Outcome]:
    """Return the trials whose configurations are to be retrained, best first, by name.

    Raises:
        SearchError: If there is none; the parent run is closed as failed.
    """
    best = best_configurations(outcomes, search.settings.confirm)
    if not best:
        search.launch.log.end_parent(failed=len(outcomes), summary={})
        raise SearchError(_all_failed(outcomes, search.launch.settings))
    return {f"best-{number}": outcome for number, outcome in enumerate(best, 1)}


def _winner_or_fail(search: Search, confirmed: dict[str, Retrained]) -> str:
    """Return the champion's name.

    Raises:
        SearchError: If there is none; the parent run is closed as failed.
    """
    try:
        return choose_champion(confirmed, search.objective)
    except SearchError:
        search.launch.log.end_parent(failed=len(confirmed), summary={})
        raise


def _all_failed(outcomes: list[Outcome], settings: LaunchSettings) -> str:
    causes = {outcome.cause for outcome in outcomes if outcome.cause}
    return (
        f"all {len(outcomes)} trials failed: {'; '.join(sorted(causes)[:3]) or 'no result'}; "
        f"their logs are in {settings.folder / STAGE}; the study keeps their configurations"
    )


def confirm(
    search: Search, context: ExecutionContext, searched: dict[str, Outcome]
) -> tuple[dict[str, dict[str, Retrained]], dict[str, list[str]]]:
    """Retrain the best configurations: all of them in a race, then the finalists on fresh seeds.

    Where all of them reach the final, there is no race.

    Returns:
        By stage, the retrained configurations by name, and the names of those that it chose.

    Raises:
        SearchError: If there is no champion; the parent run is closed as failed.
    """
    settings, rounds, chosen = search.settings, {}, {}
    configs = {name: outcome.config for name, outcome in searched.items()}
    if settings.finalists is not None and len(configs) > settings.finalists:
        seeds = racing_seeds(settings)
        rounds[RACE] = retrain(context, configs, seeds, RACE, _done(search, RACE))
        chosen[RACE] = choose_finalists(rounds[RACE], settings.finalists, search.objective)
        configs = {name: configs[name] for name in chosen[RACE]}
    rounds[FINAL] = retrain(context, configs, fresh_seeds(settings), FINAL, _done(search, FINAL))
    chosen[FINAL] = [_winner_or_fail(search, rounds[FINAL])]
    return rounds, chosen


def _done(search: Search, stage: str) -> dict[str, Outcome]:
    """Return the outcomes of a stage that a resumed launch already has, by trial name."""
    names = [run.name for run in search.launch.log.children(stage)]
    return finished_trials(search.launch, stage, names)


def record_champion(search: Search, champion: Retrained) -> None:
    """Record the champion's configuration in the log, before the test split is opened.

    Raises:
        SearchError: If the launch that is resumed has recorded another champion.
    """
    fields = champion.config.model_dump(exclude={"seed", "order_seed"})
    text = json.dumps(known_before(fields))
    if search.recorded_champion not in (None, text):
        raise SearchError(
            "champion: the resumed search chooses another configuration than the one it recorded "
            "before it was interrupted; resume with the settings that it was started with"
        )
    search.launch.log.tag(PARENT, {"champion": text})


def ablate(
    search: Search, context: ExecutionContext, champion: Retrained
) -> tuple[dict[str, Retrained], pd.DataFrame]:
    """Retrain the ablations' configurations on the champion's seeds.

    Returns:
        The retrained configurations by name, and the table of ``ablation_rows``; both empty if
        the search asks for no ablations.
    """
    if not search.settings.ablations:
        return {}, pd.DataFrame()
    prepared = search.launch.prepared
    ablations = plan_ablations(
        champion.config,
        votes=prepared.pairs.has_votes,
        layers=prepared.encoder.layers,
        variants=prepared.trials,
    )
    configs = ablation_configs(ablations, champion.config)
    done = _done(search, "ablation")
    ablated = retrain(context, configs, fresh_seeds(search.settings), "ablation", done)
    return ablated, ablation_rows(ablations, champion, ablated, search.objective)


def _score(search: Search, champion: Retrained) -> ChampionScores:
    launch, prepared = search.launch, search.launch.prepared
    trial, output = champion.config, launch.settings.output
    with encoding_progress(launch.console, prepared, [trial]) as advance:
        run = frozen_pass(launch, advance)
        inputs = build_inputs(prepared, trial, launch.precision, output, run)
    saved = [o.folder / "model" for o in champion.outcomes if o.folder is not None]
    return score_champion(champion.config, saved, inputs, prepared.pairs, launch.settings.folder)
