"""A whole search: draw, confirm, freeze, score once on test, ablate; resumable between trials."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd
from pydantic import ValidationError
from rich.console import Console

from tuning.callbacks import Outcome
from tuning.champion import Scored, score_champion
from tuning.config import TrialConfig, config_from_params
from tuning.launch import Workshop, build_materials, open_workshop, ray_session
from tuning.launch_record import Settings, open_log
from tuning.levers import Ablation, plan_ablations
from tuning.material import Material
from tuning.prepare import Prepared
from tuning.resources import choose_precision
from tuning.scores import all_positive_f1
from tuning.search_launch import (
    Retrained,
    ablation_configs,
    best_configurations,
    fresh_seeds,
    places_for,
    retrain,
    run_search,
    without_test,
)
from tuning.space import SearchSettings, Space
from tuning.study import (
    Proposer,
    close_stale,
    open_storage,
    open_study,
    warm_start,
)
from tuning.tracking import Logged, Tracker, read_trials

VALUE = "val_f1_at_threshold"


class SearchError(RuntimeError):
    """A search that ends without a champion; the message says why and what is kept."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """What a search ends with.

    ``best`` is the configuration of the search that became champion, ``confirmed`` all that were
    retrained by name, ``ablations`` a row a lever, ``failed`` the outcomes of trials that failed.
    """

    outcomes: list[Outcome]
    best: Outcome
    champion: Retrained
    confirmed: dict[str, Retrained]
    scored: Scored
    ablations: pd.DataFrame
    run_id: str
    failed: list[Outcome]


@dataclass(frozen=True, kw_only=True)
class Search:
    """A search under way: what was asked for, where it is logged, what Optuna knows."""

    prepared: Prepared
    settings: Settings
    search: SearchSettings
    tracker: Tracker
    study: optuna.Study
    proposer: Proposer
    console: Console

    @property
    def floor(self) -> float:
        """Return the validation F1 of calling every pair a paraphrase."""
        return all_positive_f1(self.prepared.pairs.splits["validation"].labels)


def open_search(
    prepared: Prepared,
    search: SearchSettings,
    settings: Settings,
    storage: str,
    console: Console,
    resumed: Logged | None,
) -> Search:
    """Return the search with log and study open, put right if it is resumed, else warm-started.

    Raises:
        StudyError, TrackingError: If study or log cannot be used, or belong to another search.
    """
    fixed = fixed_fields(prepared)
    name = search.study or prepared.experiment.name
    study = open_study(open_storage(storage), name, identity(prepared, search, fixed))
    precision = choose_precision(prepared.experiment.precision)
    if resumed is None:
        known = find_finished(prepared, search, settings.tracking_uri, console)
        learned = warm_start(study, prepared.experiment.space, comparable(fixed), known)
        if known:
            console.print(f"Warm start: {learned} of {len(known)} trials of '{search.warm_start}'")
        tracker = open_log(prepared, settings, precision)
    else:
        tracker = Tracker(settings.tracking_uri, prepared.experiment.name, settings.artifacts)
        tracker.resume_parent(resumed.run_id)
    tracker.tag(tracker.parent_id, {"study": name})
    proposer = Proposer(
        space=prepared.experiment.space,
        fixed=fixed,
        settings=search,
        launch=tracker.parent_id,
        train_pairs=len(prepared.pairs.splits["train"].labels),
        votes=prepared.pairs.has_votes,
    )
    return Search(
        prepared=prepared,
        settings=settings,
        search=search,
        tracker=tracker,
        study=study,
        proposer=proposer,
        console=console,
    )


def fixed_fields(prepared: Prepared) -> dict[str, Any]:
    """Return the fields of a trial that the search keeps as the YAML file has them."""
    return prepared.experiment.trial.model_dump()


def comparable(fixed: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields in which another experiment's trial must agree to be learned from."""
    apart = ("seed", "order_seed", "min_steps")
    return {name: value for name, value in fixed.items() if name not in apart}


def identity(
    prepared: Prepared, search: SearchSettings, fixed: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what all trials of a study must have in common."""
    space: Space = prepared.experiment.space
    return {
        "space": {name: axis.model_dump(exclude_defaults=True) for name, axis in space.items()},
        "fixed": {name: value for name, value in fixed.items() if name not in space},
        "data": prepared.pairs.fingerprint,
        "encoder": prepared.encoder.fingerprint,
        "seeds": search.seeds,
    }


def find_finished(
    prepared: Prepared, search: SearchSettings, uri: str, console: Console
) -> list[tuple[str, dict[str, Any], float]]:
    """Return id, configuration and value of the finished trials that a search may learn from.

    Only those of the same data and encoder count; that there are none is said, not an error.
    """
    if search.warm_start is None:
        return []
    same = {
        "data_fingerprint": prepared.pairs.fingerprint,
        "encoder_fingerprint": prepared.encoder.fingerprint,
    }
    logged = read_trials(uri, search.warm_start, same)
    if not logged:
        console.print(
            f"Notice: the log has no finished trial of '{search.warm_start}' on this data and "
            "encoder: the search starts without a warm start",
            style="bold yellow",
        )
    floor = all_positive_f1(prepared.pairs.splits["validation"].labels)
    return [
        (run.run_id, values, value_of(run.metrics, floor))
        for run in logged
        if (values := _as_asked(run.params, prepared)) is not None
    ]


def _as_asked(params: Mapping[str, str], prepared: Prepared) -> dict[str, Any] | None:
    """Return a logged configuration as a search would draw it: before it was fitted to the data.

    More or fewer epochs than the space has count as its nearest end: they are a budget, and what
    is learned from is the best epoch. None if this version cannot read the configuration.
    """
    try:
        config = config_from_params(params)
    except ValidationError:
        return None
    values = config.model_dump()
    space, fixed = prepared.experiment.space, prepared.experiment.trial.model_dump()
    size, votes = len(prepared.pairs.splits["train"].labels), prepared.pairs.has_votes
    for field in ("targets", "epochs"):
        axis = space.get(field)
        drawn = [fixed[field]] if axis is None else axis.ends
        for end in drawn:
            asked = {**values, field: end, "min_steps": fixed["min_steps"]}
            fitted = TrialConfig(**asked).fit_to_data(pairs=size, votes=votes)
            if getattr(fitted, field) == values[field]:
                values[field] = end
                break
    epochs = space.get("epochs")
    if epochs is not None and epochs.choices is None:
        values["epochs"] = min(max(values["epochs"], epochs.ends[0]), epochs.ends[1])
    return values


def value_of(metrics: Mapping[str, float], floor: float) -> float:
    """Return what a trial is worth to a search: of a flagged one, what "all positive" scores."""
    flagged = metrics.get("collapsed") or metrics.get("diverged")
    return floor if flagged else max(metrics.get("objective", metrics[VALUE]), floor)


def put_right(search: Search) -> list[Outcome]:
    """Return the outcomes of a resumed launch's finished trials, once study and log agree."""
    outcomes, values = [], {}
    for run in search.tracker.children("search"):
        number = int(run.tags["optuna_trial"])
        metrics = run.metrics
        told = next((t for t in search.study.get_trials() if t.number == number), None)
        if "objective" not in metrics and told is not None and told.value is not None:
            metrics = {**run.epochs, "objective": told.value}
        if "objective" not in metrics:
            if not run.tags.get("cause"):
                search.tracker.close_interrupted(run.run_id)
            continue
        if not run.finished:
            search.tracker.settle(run.run_id, metrics)
        values[number] = metrics["objective"]
        outcomes.append(_outcome(run, metrics))
    again = close_stale(search.study, search.proposer.launch, values)
    if again:
        search.console.print(f"{len(again)} trials were cut off and run again")
    return outcomes


def _outcome(run: Logged, metrics: Mapping[str, float], folder: Path | None = None) -> Outcome:
    return Outcome(
        name=run.name,
        config=config_from_params(run.params),
        metrics=dict(metrics),
        folder=folder,
        run_id=run.run_id,
    )


def find_champion(search: Search) -> Found:
    """Run all that is left of the search and return what came out.

    Raises:
        SearchError: If no trial finished, or no configuration could be confirmed.
    """
    prepared, settings = search.prepared, search.settings
    precision = choose_precision(prepared.experiment.precision)
    materials = build_materials(prepared, precision, settings, search.console)
    finished = put_right(search)
    with ray_session(settings.address):
        shop = open_workshop(
            prepared, settings, without_test(materials), search.tracker, search.console
        )
        outcomes = finished + _draw(search, shop, len(finished))
        best = best_configurations(outcomes, search.search.confirm)
        if not best:
            search.tracker.end_parent(failed=len(outcomes), summary={})
            raise SearchError(_all_failed(outcomes, settings))
        confirmed = confirm(search, shop, best)
        winner = choose(confirmed, search.floor)
        champion = confirmed[winner]
        search.tracker.tag(search.tracker.parent_id, _frozen(champion))
        ablations = plan_ablations(
            champion.config, votes=prepared.pairs.has_votes, layers=prepared.encoder.layers
        )
        ablated = ablate(search, shop, champion, ablations) if search.search.ablations else {}
    rows = ablation_rows(ablations, champion, ablated, search.floor)
    scored = _score(search, champion, materials)
    found = best[list(confirmed).index(winner)]
    run_id = _log(search, champion, found, scored, rows)
    failed = [o for o in outcomes if o.cause is not None]
    search.tracker.end_parent(failed=len(failed), summary=found.metrics)
    return Found(
        outcomes=outcomes,
        best=found,
        champion=champion,
        confirmed=confirmed,
        scored=scored,
        ablations=rows,
        run_id=run_id,
        failed=failed,
    )


def _draw(search: Search, shop: Workshop, finished: int) -> list[Outcome]:
    left = search.search.num_samples - finished
    if left <= 0:
        return []
    return run_search(shop, search.study, search.proposer, left, places_for(shop))


def _all_failed(outcomes: list[Outcome], settings: Settings) -> str:
    causes = {outcome.cause for outcome in outcomes if outcome.cause}
    return (
        f"all {len(outcomes)} trials failed: {'; '.join(sorted(causes)[:3]) or 'no result'}; "
        f"their logs are in {settings.folder / 'search'}; the study keeps what was drawn"
    )


def _frozen(champion: Retrained) -> dict[str, str]:
    """Return the tag that fixes the champion before test is opened."""
    return {"champion": json.dumps(champion.config.model_dump(exclude={"seed", "order_seed"}))}


def confirm(search: Search, shop: Workshop, best: list[Outcome]) -> dict[str, Retrained]:
    """Return the best configurations, retrained on fresh seeds."""
    configs = {f"best-{number}": outcome.config for number, outcome in enumerate(best, 1)}
    done = _done(search, "confirm")
    return retrain(shop, configs, fresh_seeds(search.search), "confirm", done)


def ablate(
    search: Search, shop: Workshop, champion: Retrained, ablations: list[Ablation]
) -> dict[str, Retrained]:
    """Return the ablations' configurations, retrained on the champion's seeds."""
    configs = ablation_configs(ablations, champion.config)
    done = _done(search, "ablation")
    return retrain(shop, configs, fresh_seeds(search.search), "ablation", done)


def _done(search: Search, stage: str) -> dict[str, Outcome]:
    """Return the outcomes of a stage that a resumed launch has behind it, by name."""
    found = {}
    for run in search.tracker.children(stage):
        places = sorted((search.settings.folder / stage / run.name).glob("checkpoint_*"))
        if VALUE in run.metrics and places:
            if not run.finished:
                search.tracker.settle(run.run_id, run.metrics)
            found[run.name] = _outcome(run, run.metrics, places[-1])
        elif not run.finished:
            search.tracker.close_interrupted(run.run_id)
    return found


def choose(confirmed: Mapping[str, Retrained], floor: float) -> str:
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
        floor if outcome.cause is not None else value_of(outcome.metrics, floor)
        for outcome in retrained.outcomes
    ]


def ablation_rows(
    ablations: list[Ablation],
    champion: Retrained,
    ablated: Mapping[str, Retrained],
    floor: float,
) -> pd.DataFrame:
    """Return a row a lever: validation F1 with and without it, over seeds, and the difference.

    ``helps`` says whether the mean difference is above its standard error over seeds; ``used``
    whether the champion has the lever on.
    """
    rows = []
    for ablation in ablations if ablated else []:
        field = ablation.lever.field
        with_it = ablated.get(f"with-{field}", champion)
        without = ablated.get(f"without-{field}", champion)
        one, other = (np.array(seed_values(r, floor)) for r in (with_it, without))
        gain = one - other
        error = float(gain.std(ddof=1) / np.sqrt(len(gain)))
        rows.append(
            {
                "lever": ablation.lever.name,
                "on": getattr(ablation.with_it, field),
                "with": one.mean(),
                "with_std": one.std(ddof=1),
                "without": other.mean(),
                "without_std": other.std(ddof=1),
                "gain": gain.mean(),
                "standard_error": error,
                "seeds": len(gain),
                "helps": bool(gain.mean() > error),
                "used": ablation.used,
            }
        )
    return pd.DataFrame(rows)


def _score(search: Search, champion: Retrained, materials: dict[int, Material]) -> Scored:
    prepared, folder = search.prepared, search.settings.folder
    saved = [o.folder / "model" for o in champion.outcomes if o.folder is not None]
    return score_champion(
        champion.config,
        saved,
        materials[prepared.depth_of(champion.config)],
        prepared.pairs,
        folder / "champion",
        folder / "encoder",
    )


def _log(
    search: Search, champion: Retrained, found: Outcome, scored: Scored, rows: pd.DataFrame
) -> str:
    folder = search.settings.folder / "champion"
    confirmed = float(np.mean(seed_values(champion, search.floor)))
    gaps = {
        "search_value": found.metrics["objective"],
        "confirmed_value": confirmed,
        "gap_search_to_confirmed": found.metrics["objective"] - confirmed,
        "gap_confirmed_to_test": confirmed - scored.metrics["test_f1_at_threshold"],
    }
    scored.scores.to_csv(folder / "scores.csv", index=False)
    scored.difference.to_csv(folder / "difference.csv", index=False)
    rows.to_csv(folder / "ablations.csv", index=False)
    params = champion.config.model_dump(exclude={"seed", "order_seed"})
    params["seeds"] = len(champion.outcomes)
    return search.tracker.log_champion(params, {**scored.metrics, **gaps}, folder)
