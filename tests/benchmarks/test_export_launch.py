"""Guards the record of a launch: its trials, what they share, its time, where it is from."""

from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from benchmarks import search_blocks
from benchmarks.export_launch import ExportError, export, find_launch
from tests.empty_store import put_store

BEGAN = 1_790_000_000_000  # 2026-09-21, milliseconds
TAGS = {"git_commit": "a" * 40, "data": "parade", "python_version": "3.11.7",
        "torch_version": "2.13.0", "ray_version": "2.60.0", "transformers_version": "5.23.0",
        "command": "python tuning/run_search.py --data /x/parade --output /y"}  # fmt: skip
PARAMS = {"head": "mean_pooling", "encoding": "pair", "order_seed": "None"}


class Log:
    """A store with one launch of a search, and its runs."""

    def __init__(self, folder: Path) -> None:
        self.client = MlflowClient(tracking_uri=put_store(folder / "log.db"))
        artifacts = (folder / "artifacts").as_uri()
        self.experiment = self.client.create_experiment("bonus_f1", artifacts)
        self.parent = self.run({"kind": "experiment", **TAGS}, {}, {}, 0, 3000)

    def run(
        self,
        tags: dict[str, str],
        params: dict[str, str],
        metrics: dict[str, float],
        start: int,
        end: int,
    ) -> str:
        """Log a run that lasts from ``start`` to ``end``, seconds since the launch began."""
        run = self.client.create_run(self.experiment, BEGAN + 1000 * start, tags, "launch").info
        for name, value in params.items():
            self.client.log_param(run.run_id, name, value)
        for name, value in metrics.items():
            self.client.log_metric(run.run_id, name, value)
        self.client.set_terminated(run.run_id, "FINISHED", BEGAN + 1000 * end)
        return run.run_id

    def trial(self, name: str, stage: str, rate: str, value: float, end: int) -> None:
        """Log a trial of a stage."""
        seed = name.partition("-seed-")[2] or "0"
        tags = {"kind": "trial", "trial": name, "stage": stage, "flags": "none",
                "objective": "auc", "mlflow.parentRunId": self.parent}  # fmt: skip
        metrics = {"val_auc": value, "val_f1_at_threshold": value - 0.1, "not_kept": 1.0}
        metrics |= {"objective": value} if stage == "search" else {}
        self.run(tags, {**PARAMS, "learning_rate": rate, "seed": seed}, metrics, end - 1, end)


@pytest.fixture
def log(tmp_path: Path) -> Log:
    log = Log(tmp_path)
    log.trial("000", "search", "0.1", 0.81234567, 600)
    log.trial("001", "search", "0.01", 0.83, 700)
    for seed, value in ((7, 0.81), (8, 0.83)):
        log.trial(f"best-1-seed-{seed}", "race", "0.01", value, 800)
        log.trial(f"best-2-seed-{seed}", "race", "0.1", value - 0.01, 800)
        log.trial(f"best-1-seed-{seed + 2}", "confirm", "0.01", value + 0.01, 900)
    log.trial("with-r_drop-seed-9", "ablation", "0.01", 0.8, 3000)
    return log


def test_a_record_has_what_trials_share_and_a_row_for_each_with_the_rest(log: Log) -> None:
    record = export(log.client, find_launch(log.client, "bonus_f1", None))
    assert record["commit"] == "a" * 40
    assert record["command"] == "python tuning/run_search.py --data FOLDER"
    assert record["machine"]["date"] == "2026-09-21"
    assert record["machine"]["torch"] == "2.13.0"
    numbers = record["numbers"]
    assert numbers["fixed"] == PARAMS
    assert numbers["seconds"] == 3000
    assert numbers["stages"]["confirm"] == {"trials": 2, "until": 900}
    assert numbers["trials"][0] == {
        "name": "000", "stage": "search", "flags": "", "learning_rate": "0.1", "seed": "0",
        "val_auc": 0.812346, "val_f1_at_threshold": 0.712346, "objective": 0.812346,
    }  # fmt: skip


def test_the_race_has_a_row_for_each_configuration_and_the_time_leaves_ablations_out(
    log: Log,
) -> None:
    record = export(log.client, find_launch(log.client, "bonus_f1", None))
    assert search_blocks.until(record) == 900
    head, _, first, second = search_blocks.race(record).splitlines()
    assert head.startswith(
        "| configuration | search: AUC | race: AUC | race: F1\\* | final: AUC |"
    )
    assert first.endswith(
        "learning rate 0.01 | .830 | .820 ± .014 | .720 ± .014 | .830 ± .014 | .730 ± .014 |"
    )
    assert second.endswith("learning rate 0.1 | .812 | .810 ± .014 | .710 ± .014 | - | - |")
    assert search_blocks.tried(record).splitlines()[2:] == ["| mean pooling | pair | 2 | .830 |"]


def test_a_launch_is_found_by_its_name_or_is_an_error(log: Log) -> None:
    assert find_launch(log.client, "bonus_f1", "launch").info.run_id == log.parent
    with pytest.raises(ExportError, match="bonus_f1: the store has no launch 'other' of that"):
        find_launch(log.client, "bonus_f1", "other")
    with pytest.raises(ExportError, match="grid: the store has no finished launch"):
        find_launch(log.client, "grid", None)
