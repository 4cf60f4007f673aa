"""Guards the log's command line: the address that ``ui`` prints, and what it is refused for."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.empty_store import put_store
from tests.tuning.tracking.recording import deliver_all, open_log
from tuning.tracking import __main__
from tuning.tracking.mlflow_pages import View


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["tuning.tracking", *words])
    return __main__.main()


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Collect the commands that this process would become."""
    commands: list[list[str]] = []

    def become(program: str, words: list[str], environment: dict[str, str]) -> None:
        commands.append([*words, environment["MLFLOW_BACKEND_STORE_URI"]])

    monkeypatch.setattr("os.execve", become)
    return commands


def test_ui_prints_the_view_of_the_newest_launch_and_serves_this_machine_alone(
    tmp_path: Path,
    served: list[list[str]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    uri = put_store(tmp_path / "log.db")
    for name in ("older", "newer"):
        log = open_log(tmp_path / name, uri, name)
        log.keep_view(View(varied=[]))
        store = deliver_all(log, uri)
    run(monkeypatch, "ui", "--tracking-uri", uri, "--port", "5001")
    page = f"http://127.0.0.1:5001/#/experiments/{store.experiment_id}/runs"
    assert f"{page}?viewStateShareKey={log.launch}&" in capsys.readouterr().out
    (command,) = served
    assert command[-5:] == ["--host", "127.0.0.1", "--port", "5001", uri]


def test_ui_without_a_launch_says_how_to_start_one(
    tmp_path: Path,
    served: list[list[str]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run(monkeypatch, "ui", "--tracking-uri", f"sqlite:///{tmp_path / 'none.db'}")
    assert "no launch yet: make grid starts one" in capsys.readouterr().out
    assert len(served) == 1
    assert not (tmp_path / "none.db").exists()


def test_ui_refuses_a_store_that_is_none(
    tmp_path: Path,
    served: list[list[str]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "log.db").write_text("this is no database")
    assert run(monkeypatch, "ui", "--tracking-uri", f"sqlite:///{tmp_path / 'log.db'}") == 2
    assert "the MLflow store cannot be used" in capsys.readouterr().err
    assert served == []


def test_ui_refuses_a_port_that_another_program_has(
    tmp_path: Path,
    served: list[list[str]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    uri = f"sqlite:///{tmp_path / 'none.db'}"
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert run(monkeypatch, "ui", "--tracking-uri", uri, "--port", str(port)) == 2
    output, errors = capsys.readouterr()
    assert not output
    assert f'may be running already; make ui ARGS="--port {port + 1}" takes another' in errors
    assert served == []


def test_the_help_does_not_wait_for_mlflow() -> None:
    program = "import sys, tuning.tracking.__main__; print('mlflow' in sys.modules)"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ended.stdout == "False\n"
