"""What a launch comes to that nothing happens to."""

import json
from pathlib import Path

import pytest
from filelock import FileLock

from tests.empty_store import put_store
from tests.end_to_end.running import one_core
from tests.faults.harness import History, Launch

Histories = dict[str, History]


@pytest.fixture(scope="session")
def expected(session_folder: Path) -> Histories:
    """Return its histories; the worker that comes first runs it, another waits and reads them."""
    folder = session_folder / "undisturbed"
    kept = folder / "histories.json"
    with FileLock(folder.with_suffix(".lock")):
        if not kept.is_file():
            launch = Launch(folder, store=put_store(folder / "log.db"))
            with one_core():
                assert launch.finish() == 0, launch.texts
            kept.write_text(json.dumps(launch.histories()))
    return read_histories(kept)


def read_histories(path: Path) -> Histories:
    """Return histories as they were before JSON made lists of tuples."""
    return {
        trial: {name: [(step, value) for step, value in points] for name, points in each.items()}
        for trial, each in json.loads(path.read_text()).items()
    }
