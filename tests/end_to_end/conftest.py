"""One grid and one search that many tests read; commands without a process of their own."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

from tests.end_to_end.running import Call, Ended, Ran, one_core, run_smoke, store_in
from tests.end_to_end.searching import search

CHANGES = [
    "freezing=[all, some]",
    "learning_rate=[0.01, 0.1]",
    "epochs=1",
    "batch_size=16",
    "overlap_features=true",  # so that an epoch is enough not to collapse
]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Call:
    """Return how to run a command in this process, where its imports are already paid for."""

    def run(main: Callable[[], int], words: list[str]) -> Ended:
        monkeypatch.setattr(sys, "argv", words[1:])
        try:
            code = main()
        except SystemExit as ended:  # argparse's way
            code = int(str(ended.code))
        output, errors = capsys.readouterr()
        return Ended(words, code, output, errors)

    return run


@pytest.fixture(scope="module", autouse=True)
def share(shared_states: None) -> None:
    """Let all quick launches of these tests share their states."""


@pytest.fixture(scope="session")
def smoke(session_folder: Path) -> Ran:
    """Return the run; the worker that comes first makes it, another waits and reads it."""
    folder = session_folder / "smoke"
    kept = folder / "ended.json"
    with FileLock(folder.with_suffix(".lock")):
        if not kept.is_file():
            folder.mkdir()
            words = [word for change in CHANGES for word in ("--set", change)]
            kept.write_text(json.dumps(vars(run_smoke(folder, *words).ended)))
    ended = Ended(**json.loads(kept.read_text()))
    assert ended.returncode == 0, ended.stderr
    return Ran(folder=folder, store=store_in(folder), ended=ended)


@pytest.fixture(scope="session")
def searched(session_folder: Path) -> Ran:
    """Return a search that came to its end, made once as ``smoke`` is."""
    folder = session_folder / "searched"
    kept = folder / "ended.json"
    with FileLock(folder.with_suffix(".lock")):
        if not kept.is_file():
            folder.mkdir()
            words = ["--set", "search.ablations=true", "--set", "epochs=2"]
            # in bfloat16 a state depends a little on the texts beside it, and what is served is
            # compared with what was scored to 1e-4
            words += ["--set", "precision=float32"]
            with one_core():  # each of its stages starts its workers
                ended = search(folder, *words)
            kept.write_text(json.dumps(vars(ended)))
    ended = Ended(**json.loads(kept.read_text()))
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return Ran(folder=folder, store=store_in(folder), ended=ended)
