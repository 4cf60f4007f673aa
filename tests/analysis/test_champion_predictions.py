"""Guards a champion's predictions: of its own seeds, each at its threshold, on the same data."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from analysis.champion_predictions import read_champion
from analysis.load_runs import PARENT_TAG, Launch, Store
from tests.analysis.conftest import Runs

ROUNDS = pd.DataFrame(
    [("race", "best-2", 1005, True), ("confirm", "best-1", 1000, False)]
    + [("confirm", "best-2", seed, True) for seed in (1000, 1001)],
    columns=["round", "configuration", "seed", "chosen"],
)
THRESHOLDS = {1000: 0.4, 1001: 0.6}


@pytest.fixture
def runs(empty_store: Path, tmp_path: Path) -> Runs:
    """Return a store with a search whose champion has two seeds on two pairs of each split."""
    shutil.copyfile(empty_store, tmp_path / "log.db")
    runs = Runs(tmp_path / "log.db", "search")
    parent = runs.parent("launch", search="optuna")
    runs.client.set_tag(parent, "data_fingerprint", "d")
    drawn = runs.trial(parent, "000")
    runs.client.log_metric(drawn, "objective", 0.7)
    tags = {"kind": "champion", PARENT_TAG: parent}
    champion = runs.client.create_run(runs.experiment, tags=tags).info.run_id
    for seed, threshold in THRESHOLDS.items():
        folder = tmp_path / f"best-2-seed-{seed}"
        folder.mkdir()
        (folder / "result.json").write_text(json.dumps({"threshold": threshold}), encoding="utf-8")
        rows = [(split, line, "", line % 2, threshold + 0.1 * (line - 2.5))
                for split in ("validation", "test") for line in (2, 3)]  # fmt: skip
        frame = pd.DataFrame(rows, columns=["split", "line", "group", "label", "probability"])
        frame.to_csv(folder / "predictions.csv", index=False)
        runs.client.log_artifacts(champion, str(folder), folder.name)
    return runs


def search_of(store: Store) -> Launch:
    found = store.search()
    assert found is not None
    return found


def test_a_champion_is_its_seeds_of_the_last_round_at_their_thresholds(runs: Runs) -> None:
    store = Store(runs.uri)
    search = search_of(store)
    found = read_champion(store, search, {"rounds": ROUNDS}, search)
    assert found is not None
    assert found.rule == "maximum"  # what earlier versions did
    for part in (found.validation, found.test):
        assert part.seeds.tolist() == [1000, 1001]
        assert part.thresholds.tolist() == [0.4, 0.6]
        assert part.labels.tolist() == [0, 1]
        assert part.decisions.tolist() == [[False, True]] * 2
    assert found.seeds.empty  # the log has no training of them
    assert found.epochs.empty


def test_the_epochs_are_those_of_the_trainings_that_gave_the_champion(runs: Runs) -> None:
    store = Store(runs.uri)
    search = search_of(store)
    for name, stage in (("2", "confirm"), ("1", "confirm"), ("2", "race")):
        run = runs.trial(search.run_id, f"best-{name}")
        runs.client.set_tag(run, "stage", stage)
        runs.client.set_tag(run, "trial", f"best-{name}-seed-1000")
        runs.client.log_metric(run, "best_epoch", 2)
        for epoch in (1, 2):
            runs.client.log_metric(run, "while_training/val_auc", 0.4 + 0.1 * epoch, step=epoch)
    found = read_champion(store, search, {"rounds": ROUNDS}, search)
    assert found is not None
    assert len(found.seeds) == 1
    assert found.epochs["val_auc"].tolist() == pytest.approx([0.5, 0.6])


def test_a_champion_of_other_data_or_of_an_earlier_version_is_left_out(runs: Runs) -> None:
    store = Store(runs.uri)
    search = search_of(store)
    other = replace(search, tags={**search.tags, "data_fingerprint": "e"})
    assert read_champion(store, search, {"rounds": ROUNDS}, other) is None
    assert read_champion(store, search, {}, search) is None
    assert read_champion(store, None, {}, search) is None
    assert store.notes == []


def test_a_missing_file_is_noted(runs: Runs) -> None:
    store = Store(runs.uri)
    search = search_of(store)
    rounds = ROUNDS.replace({"seed": {1001: 1002}})
    assert read_champion(store, search, {"rounds": rounds}, search) is None
    assert "has no best-2-seed-1002/result.json" in store.notes[-1]


@pytest.mark.parametrize("content", ["{", "{}", "[]"])
def test_a_damaged_file_is_noted(runs: Runs, tmp_path: Path, content: str) -> None:
    store = Store(runs.uri)
    search = search_of(store)
    (found,) = runs.client.search_runs(
        [runs.client.get_run(search.run_id).info.experiment_id], "tags.kind = 'champion'"
    )
    (tmp_path / "result.json").write_text(content)
    runs.client.log_artifact(found.info.run_id, str(tmp_path / "result.json"), "best-2-seed-1001")
    assert read_champion(store, search, {"rounds": ROUNDS}, search) is None
    assert "result.json or predictions.csv of best-2-seed-1001 cannot be read" in store.notes[-1]
