"""Guards report and submission as a user makes them: from a real run to pages, files, archive."""

import json
import random
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd
import pytest
from mlflow.tracking import MlflowClient
from nbclient import NotebookClient
from pypdf import PdfReader

from analysis import make_report, make_submission
from tests.empty_store import put_store
from tests.end_to_end.running import Call, Ended, Ran
from tests.faults.stores import can_mount, small_disk
from tuning.system.project import ROOT

pytestmark = pytest.mark.slow


def words_for(script: str, *words: str) -> list[str]:
    return [sys.executable, str(ROOT / "analysis" / script), *words]


def words_to_report(store: str, folder: Path) -> list[str]:
    places = ["--tracking-uri", store, "--output", str(folder)]
    return words_for("make_report.py", *places, "--grid", "smoke")


def analyse(words: list[str], cwd: Path) -> Ended:
    return subprocess.run(words, capture_output=True, text=True, check=False, cwd=cwd)


@pytest.fixture(scope="module")
def report(smoke: Ran, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    ended = analyse(words_to_report(smoke.store, folder), cwd=folder)
    assert ended.returncode == 0, ended.stderr
    return folder


@pytest.fixture(scope="module")
def page(report: Path) -> str:
    return "\n".join(text.extract_text() for text in PdfReader(report / "Report.pdf").pages)


def contents(report: Path) -> dict[str, Any]:
    return json.loads((report / "report.json").read_bytes())


def written(value: float) -> str:
    return f"{value:.3f}".replace("0.", ".", 1)


def expected_numbers(smoke: Ran) -> list[tuple[str, str, str]]:
    """Return (table, row, number) for what is found in the store or in the data files."""
    found = []
    for run in smoke.trials():
        params, metrics = run.data.params, run.data.metrics
        optimizer = {"adamw": "AdamW", "sgd": "SGD"}[params["optimizer"]]
        row = f"{params['freezing']} {optimizer} {float(params['learning_rate']):g}"
        for name in ("val_f1_at_threshold", "test_f1_at_threshold", "test_f1", "test_accuracy"):
            found.append(("grid", row, written(metrics[name])))
        found.append(("grid", row, written(metrics["test_auc"])))
    for split in ("train", "validation", "test"):
        pairs = pd.read_csv(ROOT / f"embedded/pairs/{split}.tsv", sep="\t", quoting=3)
        found.append(("class_balance", split, str(len(pairs))))
        found.append(("class_balance", split, str(pairs["label"].sum())))
    return found


def test_ten_numbers_of_the_report_are_those_of_store_and_data(
    smoke: Ran, report: Path, page: str
) -> None:
    tables = contents(report)["tables"]
    for table, row, number in random.Random(0).sample(expected_numbers(smoke), 10):
        (cells,) = [
            cells for cells in tables[table]["rows"] if " ".join(cells).startswith(f"{row} ")
        ]
        assert number in cells, (table, row, number)
        assert number in page


def test_scores_in_the_comparison_are_the_logged_ones(smoke: Ran, report: Path) -> None:
    long = pd.read_csv(report / "tables/scores_at_threshold_long.csv")
    shown = long.set_index(["model", "metric"])["mean"]
    sound = [run.data for run in smoke.trials() if not run.data.metrics["collapsed"]]
    for mode in {data.params["freezing"] for data in sound}:
        best = max(
            (data.metrics for data in sound if data.params["freezing"] == mode),
            key=lambda metrics: metrics["val_f1_at_threshold"],
        )
        for metric in ("accuracy", "f1", "precision", "recall"):
            logged = best[f"test_{metric}_at_threshold"]
            assert shown[f"{mode} layers frozen", metric] == pytest.approx(logged, abs=1e-12)
        assert shown[f"{mode} layers frozen", "auc"] == pytest.approx(best["test_auc"], abs=1e-12)
    assert sound


def test_the_first_page_names_encoder_and_data_as_embedded(report: Path) -> None:
    first = PdfReader(report / "Report.pdf").pages[0].extract_text()
    assert "Data: embedded" in first
    assert "Encoder: embedded" in first
    assert "not PARADE" in first


def test_a_grid_alone_is_told_on_the_first_page_and_is_complete(report: Path, page: str) -> None:
    first = " ".join(PdfReader(report / "Report.pdf").pages[0].extract_text().split())
    assert "each cell of it is one training run with one seed" in first
    assert "has no experiment" not in page
    assert "run_grid.py" in contents(report)["facts"]["launches"][0]["command"]


def test_examples_show_what_deleting_each_word_changes(report: Path) -> None:
    examples = contents(report)["facts"]["examples"]
    assert examples
    assert all(each["first_words"] and each["second_words"] for each in examples)


def test_every_figure_is_there_as_vectors_and_as_a_picture(report: Path) -> None:
    for name, figure in contents(report)["figures"].items():
        assert (report / figure["file"]).read_bytes().startswith(b"%PDF")
        assert (report / f"figures/{name}.png").stat().st_size > 1000
        assert figure["caption"]


def test_the_same_store_gives_the_same_report(
    smoke: Ran, report: Path, call: Call, tmp_path: Path
) -> None:
    assert call(make_report.main, words_to_report(smoke.store, tmp_path)).returncode == 0
    assert (tmp_path / "Report.pdf").read_bytes() == (report / "Report.pdf").read_bytes()


def test_a_store_with_failed_runs_only_still_shows_the_data(
    smoke: Ran, call: Call, tmp_path: Path
) -> None:
    shutil.copyfile(smoke.folder / "log.db", tmp_path / "failed.db")
    store = f"sqlite:///{tmp_path / 'failed.db'}"
    client = MlflowClient(tracking_uri=store)
    for run in smoke.trials():
        client.set_terminated(run.info.run_id, "FAILED")
    ended = call(make_report.main, words_to_report(store, tmp_path / "report"))
    assert ended.returncode == 0, ended.stderr
    assert "4 of 4 trials did not finish" in ended.stdout
    made = contents(tmp_path / "report")
    assert "class_balance" in made["tables"]
    assert "grid" not in made["tables"]


def test_a_report_that_does_not_fit_is_told_and_nothing_is_written(
    smoke: Ran, call: Call, tmp_path: Path
) -> None:
    if not can_mount(tmp_path):
        pytest.skip("needs the right to mount a small disk")
    with small_disk(tmp_path / "small", 2) as disk:
        ended = call(make_report.main, words_to_report(smoke.store, disk / "report"))
        assert not list(disk.iterdir())
    assert ended.returncode == 2
    told = f"{disk / 'report'}: cannot be written: 10 MB are needed and 2.1 MB are free"
    assert told in ended.stderr.replace("\n", " ")


def test_an_empty_store_is_an_error_in_words(call: Call, tmp_path: Path) -> None:
    store = put_store(tmp_path / "empty.db")
    ended = call(make_report.main, words_for("make_report.py", "--tracking-uri", store))
    assert ended.returncode == 2
    assert "must have a launch of experiment 'grid' or 'freezing'" in ended.stderr
    assert "--grid NAME reports on another experiment" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_submission_reproduces_its_scores_elsewhere(
    smoke: Ran, report: Path, tmp_path: Path
) -> None:
    words = ["--tracking-uri", smoke.store, "--report", str(report / "Report.pdf")]
    words = words_for("make_submission.py", "Ada", "Grace", *words, "--experiments", "smoke")
    ended = analyse(words, cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    with zipfile.ZipFile(report / "A3_Ada_Grace.zip") as archive:
        archive.extractall(tmp_path)
    packed = tmp_path / "A3_Ada_Grace"
    assert {"Report.pdf", "README.md", "code", "saved_models"} == {
        p.name for p in packed.iterdir()
    }
    assert len(list(packed.rglob("classifier.pt"))) in (1, 2)
    again = subprocess.run(
        [sys.executable, str(packed / "code/tuning/reproduce.py"), str(packed / "saved_models")],
        capture_output=True,
        text=True,
        check=False,
        cwd=packed / "code",
    )
    assert again.returncode == 0, again.stdout + again.stderr
    assert "4 of 4 runs reproduce their scores" in again.stdout


@pytest.mark.parametrize("members", [[], ["Ada/../x"]])
def test_a_submission_needs_names(
    smoke: Ran, report: Path, members: list[str], call: Call
) -> None:
    words = ["--tracking-uri", smoke.store, "--report", str(report / "Report.pdf")]
    ended = call(make_submission.main, words_for("make_submission.py", *members, *words))
    assert ended.returncode == 2
    assert "MEMBERS: must be names of letters, digits, _ and -" in ended.stderr


@pytest.mark.parametrize("name", ["explore_data", "compare_runs"])
def test_a_notebook_runs_and_is_kept_without_outputs(
    smoke: Ran, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    notebook = nbformat.read(ROOT / f"analysis/notebooks/{name}.ipynb", as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", smoke.store)
    monkeypatch.setenv("EXPERIMENT", "smoke")
    NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
    assert any(cell.get("outputs") for cell in notebook.cells)
