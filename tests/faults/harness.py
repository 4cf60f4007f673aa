"""A launch that is harmed on purpose, and what became of it: real processes, real signals."""

from __future__ import annotations

import math
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from tests.end_to_end.running import HANG, command, quick, store_in
from tuning.system.project import ROOT
from tuning.tracking.journal import JOURNAL
from tuning.tracking.resume import find_interrupted

PATIENCE = 90.0  # seconds in which processes whose driver died are gone: two of Ray's take 60
History = dict[str, list[tuple[int, float]]]


@dataclass(kw_only=True)
class Harm:
    """What faults did to a launch in the end; all of it should be nothing."""

    lost: list[str] = field(default_factory=list)
    duplicates: list[str] = field(default_factory=list)
    differing: list[str] = field(default_factory=list)
    tracebacks: list[str] = field(default_factory=list)
    processes: list[str] = field(default_factory=list)
    half_written: list[str] = field(default_factory=list)


class Launch:
    """A trial of each encoding in a folder of its own, started as often as it takes.

    Args:
        folder: Gets results, store and data.
        store: MLflow tracking URI; by default a SQLite file in the folder.
        output: Gets the results in place of ``folder / "out"``.
        more: Further words of the command.
    """

    name, script = "smoke", "run_grid.py"
    changes = (
        "encoding=[pair, separate]",
        "freezing=some",
        "learning_rate=0.01",
        "epochs=8",
        "batch_size=16",
    )

    def __init__(
        self,
        folder: Path,
        *,
        store: str = "",
        output: Path | None = None,
        more: tuple[str, ...] = (),
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.output = output or folder / "out"
        self.store = store or store_in(folder)
        self.more = more
        self.texts: list[str] = []
        self.began: dict[int, psutil.Process] = {}

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start the command, resuming what was interrupted."""
        changes = [word for change in self.changes for word in ("--set", change)]
        places = ["--output", str(self.output), "--tracking-uri", self.store]
        places += quick(self.folder)
        resume = ["--resume"] if find_interrupted(self.output, self.name) else []
        experiment = str(ROOT / f"experiments/{self.name}.yaml")
        return subprocess.Popen(
            command(self.script, experiment, *places, *changes, *self.more, *words, *resume),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def end(self, driver: subprocess.Popen[str]) -> int:
        """Wait until the command ends, however it does; return its exit code."""
        output, errors = driver.communicate(timeout=HANG)
        self.texts += [output, errors]
        return driver.returncode

    def finish(self, *words: str) -> int:
        """Start the command and wait for its end."""
        return self.end(self.start(*words))

    def wait(self, found: Callable[[], bool], driver: subprocess.Popen[str]) -> bool:
        """Wait until something is so; return whether it became so before the command ended."""
        deadline = time.monotonic() + HANG
        while not found():
            if driver.poll() is not None or time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        return True

    def kill(self, driver: subprocess.Popen[str]) -> None:
        """Kill the command alone, and note what it had started."""
        self.note(driver)
        driver.kill()
        self.end(driver)

    def note(self, driver: subprocess.Popen[str]) -> None:
        """Note the processes that the command has started, to see whether they go."""
        with suppress(psutil.NoSuchProcess):
            for process in psutil.Process(driver.pid).children(recursive=True):
                self.began[process.pid] = process

    def workers(self, driver: subprocess.Popen[str]) -> list[psutil.Process]:
        """Return the processes that are training."""
        found = []
        with suppress(psutil.NoSuchProcess):
            for child in psutil.Process(driver.pid).children(recursive=True):
                with suppress(psutil.NoSuchProcess):
                    if child.name().startswith("ray::ImplicitFu"):
                        found.append(child)
        return found

    def epochs(self) -> int:
        """Return how many epochs the journals tell of."""
        paths = self.output.glob(f"{self.name}-*/{JOURNAL}")
        return sum(path.read_bytes().count(b'"prefix":"while_training/"') for path in paths) // 2

    @property
    def is_done(self) -> bool:
        """Return whether there is nothing to go on with: what comes next would be another one."""
        begun = [*self.output.glob(f"{self.name}-*/{JOURNAL}")]
        return bool(begun) and not find_interrupted(self.output, self.name)

    def runs(self) -> list[Run]:
        """Return the runs in the store, but for the parents'."""
        client = MlflowClient(tracking_uri=self.store)
        found = client.get_experiment_by_name(self.name)
        if found is None:
            return []
        return list(client.search_runs([found.experiment_id], "tags.kind != 'experiment'"))

    def histories(self) -> dict[str, History]:
        """Return every value of every metric, but for times, by the name of the trial."""
        client = MlflowClient(tracking_uri=self.store)
        return {
            run.data.tags["trial"]: {
                name: [(p.step, p.value) for p in client.get_metric_history(run.info.run_id, name)]
                for name in run.data.metrics
                if "seconds" not in name
            }
            for run in self.runs()
        }

    def harm(self, expected: dict[str, History]) -> Harm:
        """Return what is not as it would be had nothing happened.

        Args:
            expected: The histories of a launch that nothing happened to.
        """
        runs, found = self.runs(), self.histories()
        finished = {run.data.tags["trial"] for run in runs if run.info.status == "FINISHED"}
        names = [run.data.tags["trial"] for run in runs]
        return Harm(
            lost=sorted(set(expected) - finished),
            duplicates=sorted({name for name in names if names.count(name) > 1}),
            differing=[
                f"{name} {metric}"
                for name in finished & set(expected)
                for metric in expected[name].keys() | found[name].keys()
                if not same(expected[name].get(metric), found[name].get(metric))
            ],
            tracebacks=[text for text in self.texts if 'File "' in text],
            processes=self.left(),
            half_written=[str(path) for path in self.folder.rglob("*.part")],
        )

    def left(self) -> list[str]:
        """Return the processes that outlive the command that started them."""
        _, alive = psutil.wait_procs(list(self.began.values()), timeout=PATIENCE)
        found = []
        for process in alive:
            with suppress(psutil.NoSuchProcess):
                found.append(f"{process.pid} {process.name()}")
        return found


class SearchLaunch(Launch):
    """A whole search, whose draws depend on nothing but their numbers, with race and final."""

    name, script = "smoke_search", "run_search.py"
    changes = (
        "search.num_samples=4",
        "search.startup_trials=9",
        "search.scheduler=none",
        "epochs=5",
        "batch_size=16",
    )


def _step_and_value(point: tuple[int, float]) -> tuple[int, bool, float]:
    step, value = point
    return (step, True, 0.0) if math.isnan(value) else (step, False, value)


def same(one: list[tuple[int, float]] | None, other: list[tuple[int, float]] | None) -> bool:
    """Return whether two histories have the same values at the same steps.

    MLflow gives those of one step in no certain order.
    """
    if one is None or other is None or len(one) != len(other):
        return False
    pairs = zip(*(sorted(each, key=_step_and_value) for each in (one, other)), strict=True)
    return all(a[0] == b[0] and (a[1] == b[1] or math.isnan(a[1] + b[1])) for a, b in pairs)
