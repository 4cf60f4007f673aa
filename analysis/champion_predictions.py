"""Predictions of a search's champion, for whose gap between validation and test they are read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from analysis.load_runs import PARENT_TAG, Launch, Store, StoreError
from analysis.run_tables import model_predictions, threshold_rule
from measures.intervals import Predictions
from measures.objective import ThresholdRule

CHAMPION = "champion of the search"


@dataclass(frozen=True, kw_only=True, slots=True)
class Champion:
    """The predictions of a champion's fresh seeds for both splits, at their thresholds.

    ``epochs`` is what their trainings logged by epoch, and ``seeds`` which of these was kept:
    ``run_id`` and ``best_epoch``, without a row for a training that the log does not have.
    """

    validation: Predictions
    test: Predictions
    rule: ThresholdRule
    seeds: pd.DataFrame
    epochs: pd.DataFrame


def read_champion(
    store: Store, search: Launch | None, tables: Mapping[str, pd.DataFrame], launch: Launch
) -> Champion | None:
    """Return the champion; None without one, or if it is of other data than ``launch``.

    A file of a seed that is missing or cannot be read gets a note, and there is no champion.

    Args:
        store: MLflow store.
        search: ``Store.search``.
        tables: ``Store.champion`` of that search; ``rounds`` names the champion's seeds.
        launch: Launch whose trials it is shown beside.
    """
    data = launch.tags.get("data_fingerprint")
    if search is None or "rounds" not in tables or search.tags.get("data_fingerprint") != data:
        return None
    rounds = tables["rounds"]
    seeds = rounds[rounds["chosen"] & (rounds["round"] == rounds["round"].iloc[-1])]
    names = seeds["configuration"] + "-seed-" + seeds["seed"].astype(str)
    run = _champion_run(store, search)
    try:
        found = [_read_seed(store, run, name) for name in names]
    except StoreError as error:
        store.notes.append(str(error))
        return None
    trials = seeds[["seed"]].assign(
        run_id=names, freezing=CHAMPION, threshold=[t for t, _ in found]
    )
    predictions = pd.concat([frame for _, frame in found])
    validation, test = (
        model_predictions(predictions, trials, threshold=None, split=split)
        for split in ("validation", "test")
    )
    trained = _trainings(store, search, set(names))
    return Champion(
        validation=validation[CHAMPION],
        test=test[CHAMPION],
        rule=threshold_rule(search.trials),
        seeds=trained,
        epochs=store.epochs(replace(search, trials=trained)),
    )


def _trainings(store: Store, search: Launch, names: set[str]) -> pd.DataFrame:
    """Return the runs that trained the champion's seeds, with the epoch that each kept."""
    experiment = store.client.get_run(search.run_id).info.experiment_id
    query = f"tags.stage = 'confirm' and tags.`{PARENT_TAG}` = '{search.run_id}'"
    rows = [
        {"run_id": run.info.run_id, "best_epoch": run.data.metrics["best_epoch"]}
        for run in store.client.search_runs([experiment], query, max_results=1000)
        if run.data.tags.get("trial") in names and "best_epoch" in run.data.metrics
    ]
    columns = ["run_id", "best_epoch"]
    return pd.DataFrame(rows, columns=columns).assign(freezing=CHAMPION)


def _champion_run(store: Store, search: Launch) -> str:
    """Return the id of the champion's run, which has tables and so exists."""
    experiment = store.client.get_run(search.run_id).info.experiment_id
    query = f"tags.kind = 'champion' and tags.`{PARENT_TAG}` = '{search.run_id}'"
    return store.client.search_runs([experiment], query, max_results=1)[0].info.run_id


def _read_seed(store: Store, run: str, name: str) -> tuple[float, pd.DataFrame]:
    """Return the threshold and the predictions of one of the champion's seeds."""
    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        result = store.save_artifacts(run, f"{name}/result.json", folder)
        table = store.save_artifacts(run, f"{name}/predictions.csv", folder)
        try:
            threshold = float(json.loads(result.read_bytes())["threshold"])
            types = {"group": str, "split": str}
            frame = pd.read_csv(table, dtype=types, keep_default_na=False)
        except (KeyError, TypeError, ValueError) as error:
            raise StoreError(
                f"{store.uri}: run {run}: {result.name} or {table.name} of {name} cannot be read, "
                f"so that the champion has no row in the parts of the gap: {error!r}"
            ) from error
    return threshold, frame.assign(run_id=name)
