"""Guards the download of a model from MLflow: an absent store, and one that was moved."""

from collections.abc import Iterator
from pathlib import Path

import mlflow
import pytest

from measures.addresses import AddressError
from models.served import fetch_model
from tests.empty_store import put_store
from tests.tuning.tracking.recording import CHAMPIONS, deliver_all, open_log


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Undo what MLflow keeps for the process: its stores, and the environment variables."""
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI"):
        monkeypatch.setenv(name, "")
    yield
    mlflow.set_registry_uri("")
    mlflow.set_tracking_uri("")


def test_a_store_that_is_absent_is_named_and_not_made(tmp_path: Path) -> None:
    with pytest.raises(AddressError, match=r"none\.db: no such MLflow store; "):
        fetch_model(None, f"sqlite:///{tmp_path / 'none.db'}", tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_champion_that_was_moved_with_its_store_is_found(tmp_path: Path) -> None:
    old, new, copies = (tmp_path / name for name in ("old", "new", "copies"))
    uri = put_store(old / "log.db")
    log = open_log(old / "a", uri, "x")
    (old / "a/champion/served").mkdir(parents=True)
    (old / "a/champion/served/card.json").write_text("{}")
    log.log_champion(CHAMPIONS, {"test_f1": 0.7}, old / "a/champion")
    run_id = deliver_all(log, uri).run_id("champion")
    assert (fetch_model(None, uri, copies) / "card.json").is_file()
    old.rename(new)
    for name in (None, "models:/x@champion", "models:/x/1", f"runs:/{run_id}/served"):
        found = fetch_model(name, f"sqlite:///{new / 'log.db'}", copies)
        assert found.is_relative_to(new)
        assert (found / "card.json").is_file()
