"""One run of the smoke experiment that the tests of grid and report read."""

import json

import pytest
from filelock import FileLock

from tests.end_to_end.running import Ended, Ran, run_smoke, store_in

CHANGES = [
    "freezing=[all, some]",
    "learning_rate=[0.01, 0.1]",
    "epochs=2",
    "overlap_features=true",  # so that two epochs are enough not to collapse
]


@pytest.fixture(scope="session")
def smoke(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Ran:
    """Return the run; the worker that comes first makes it, another waits and reads it."""
    place = tmp_path_factory.getbasetemp()
    folder = (place if worker_id == "master" else place.parent) / "smoke"
    kept = folder / "ended.json"
    with FileLock(folder.with_suffix(".lock")):
        if not kept.is_file():
            folder.mkdir()
            words = [word for change in CHANGES for word in ("--set", change)]
            kept.write_text(json.dumps(vars(run_smoke(folder, *words).ended)))
    ended = Ended(**json.loads(kept.read_text()))
    assert ended.returncode == 0, ended.stderr
    return Ran(folder=folder, store=store_in(folder), ended=ended)
