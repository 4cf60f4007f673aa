"""Run the commands as a user does: in a process of their own, from another folder."""

import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from mlflow.entities import Run
from mlflow.tracking import MlflowClient
from tokenizers import Tokenizer

from tests.empty_store import put_store
from tuning.system.project import ROOT

Ended = subprocess.CompletedProcess[str]
Call = Callable[[Callable[[], int], list[str]], Ended]
STATES: Path | None = None  # folder of states of the small encoder, for all quick launches
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


@contextmanager
def one_core() -> Iterator[None]:
    """Let the trials of launches take turns in one worker, which takes seconds to start.

    For all but what two trials at a time could disturb.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_OVERRIDE_RESOURCES", '{"CPU": 1}')
        yield


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


_DRAWING = threading.Lock()  # torch has one generator, and the long form of faults two threads


def small_encoder(folder: Path) -> Path:
    """Return an encoder inside ``folder``: the embedded word pieces, few weights, at random.

    It makes launches quick whose scores nobody reads.
    """
    import torch
    from transformers import DistilBertConfig, DistilBertModel

    encoder, embedded = folder / "encoder", ROOT / "embedded/encoder"
    if not encoder.is_dir():
        pieces = Tokenizer.from_file(str(embedded / "tokenizer.json")).get_vocab_size()
        config = DistilBertConfig(
            vocab_size=pieces, dim=12, n_layers=4, n_heads=2, hidden_dim=20,
            max_position_embeddings=256,
        )  # fmt: skip
        with _DRAWING:
            torch.manual_seed(0)
            model = DistilBertModel(config)
        model.save_pretrained(encoder)
        shutil.copy(embedded / "tokenizer.json", encoder)
    return encoder


def small(folder: Path, counts: Mapping[str, int] = FEWER) -> list[str]:
    """Return the words for few pairs and a small encoder."""
    data, encoder = few_pairs(folder, counts), small_encoder(folder)
    return ["--data", str(data), "--encoder", str(encoder)]


def quick(folder: Path) -> list[str]:
    """Return the words of ``small`` for a launch that takes the states another computed.

    To compute them, or to measure words, a driver imports a library for seconds.
    """
    if STATES is None:
        return small(folder)
    kept = folder / "out/activations"
    if not kept.exists():
        STATES.mkdir(exist_ok=True)
        kept.parent.mkdir(exist_ok=True)
        kept.symlink_to(STATES)
    return [*small(folder), "--set", "occlusion=false"]


def store_in(folder: Path) -> str:
    return f"sqlite:///{folder / 'log.db'}"


def words_to_run(folder: Path, *words: str) -> list[str]:
    """Return the command that runs the smoke experiment with its store and results in a folder."""
    places = ["--output", str(folder / "out"), "--tracking-uri", store_in(folder)]
    return command("run_grid.py", str(ROOT / "experiments/smoke.yaml"), *places, *words)


def run_smoke(folder: Path, *words: str) -> Ran:
    """Run the smoke experiment from a folder that is not the project's."""
    ended = subprocess.run(
        words_to_run(folder, *words), capture_output=True, text=True, check=False, cwd=folder
    )
    return Ran(folder=folder, store=store_in(folder), ended=ended)


def run_small(folder: Path, *words: str) -> Ran:
    """Run it as quickly as it goes: on few pairs, with a small encoder, into a store that is."""
    put_store(folder / "log.db")
    return run_smoke(folder, *quick(folder), *words)


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
