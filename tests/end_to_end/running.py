"""Run the commands as a user does: in a process of their own, from another folder."""

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from tuning.system.project import ROOT

Ended = subprocess.CompletedProcess[str]
Call = Callable[[Callable[[], int], list[str]], Ended]
FEW = {"train": 320, "validation": 120, "test": 120}  # pairs
FEWER = {"train": 128, "validation": 48, "test": 48}  # for what needs no scores
HANG = 300.0  # seconds after which nothing more is expected


@dataclass(frozen=True, kw_only=True)
class Ran:
    """What a run of the smoke experiment left behind."""

    folder: Path
    store: str
    ended: Ended

    def trials(self, experiment: str = "smoke") -> list[Run]:
        client = MlflowClient(tracking_uri=self.store)
        found = client.get_experiment_by_name(experiment)
        assert found is not None
        runs = client.search_runs([found.experiment_id], "tags.kind = 'trial'")
        return sorted(runs, key=lambda run: run.data.tags["trial"])


def command(script: str, *words: str) -> list[str]:
    return [sys.executable, str(ROOT / "tuning" / script), *words]


def few_pairs(folder: Path, counts: Mapping[str, int] = FEW) -> Path:
    """Return a data folder inside ``folder`` with the first of the embedded pairs."""
    few, all_pairs = folder / "few", ROOT / "embedded/pairs"
    if not few.is_dir():
        few.mkdir()
        shutil.copy(all_pairs / "columns.yaml", few)
        for split, count in counts.items():
            lines = (all_pairs / f"{split}.tsv").read_bytes().splitlines(keepends=True)
            (few / f"{split}.tsv").write_bytes(b"".join(lines[: count + 1]))  # and the header
    return few


def store_in(folder: Path) -> str:
    return f"sqlite:///{folder / 'log.db'}"


def run_smoke(folder: Path, *words: str) -> Ran:
    """Run the smoke experiment from a folder that is not the project's."""
    store = store_in(folder)
    smoke = str(ROOT / "experiments/smoke.yaml")
    places = ["--output", str(folder / "out"), "--tracking-uri", store]
    ended = subprocess.run(
        command("run_grid.py", smoke, *places, *words),
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
    )
    return Ran(folder=folder, store=store, ended=ended)


def words_to_reproduce(ran: Ran, *words: str) -> list[str]:
    return command("reproduce.py", *words, "--tracking-uri", ran.store)


@contextmanager
def started(words: list[str]) -> Iterator[subprocess.Popen[str]]:
    """Start a command; at the end, however that comes, no process of it and no pipe is left."""
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as driver:
        try:
            yield driver
        finally:
            kill_all(driver)


def kill_all(driver: subprocess.Popen[str]) -> None:
    """Kill the driver if it has not ended, and then all it started, so that it sees none die."""
    if driver.poll() is not None:
        return
    started_by_it = psutil.Process(driver.pid).children(recursive=True)
    driver.kill()
    for process in started_by_it:
        with suppress(psutil.NoSuchProcess):  # it ended with the driver
            process.kill()


def wait_for(found: Callable[[], bool], driver: subprocess.Popen[str]) -> None:
    """Return as soon as ``found`` is true of what the driver does."""
    deadline = time.monotonic() + HANG
    while not found():
        assert driver.poll() is None, "\n".join(driver.communicate())
        assert time.monotonic() < deadline, f"waited {HANG:g} seconds in vain"
        time.sleep(0.2)
