"""Guards the log's command line: the address that ``ui`` prints, and what it is refused for."""

import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from measures.addresses import check_tables
from tests.empty_store import put_store
from tests.tuning.tracking.recording import deliver_all, open_log
from tuning.tracking import __main__
from tuning.tracking.journal import JOURNAL
from tuning.tracking.mlflow_pages import View


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["tuning.tracking", *words])
    return __main__.main()


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Collect the commands that this process would become."""
    commands: list[list[str]] = []

    def become(program: str, words: list[str], environment: dict[str, str]) -> None:
        own = [environment[f"MLFLOW_{name}"] for name in ("WORKERS", "BACKEND_STORE_URI")]
        commands.append([*words, *own])

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
    assert command[-6:] == ["--host", "127.0.0.1", "--port", "5001", "1", uri]


def test_ui_without_a_launch_says_how_to_start_one(
    tmp_path: Path,
    served: list[list[str]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run(monkeypatch, "ui", "--tracking-uri", f"sqlite:///{tmp_path / 'none.db'}")
    told = capsys.readouterr().out
    assert f"{tmp_path / 'none.db'} did not exist: an empty store was made there" in told
    assert "no launch yet: make grid starts one" in told
    assert len(served) == 1
    check_tables(
        tmp_path / "none.db", empty_passes=False
    )  # whole: a launch that begins now finds it so


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


def delivered(monkeypatch: pytest.MonkeyPatch, folder: Path, uri: str, *words: str) -> int:
    return run(monkeypatch, "deliver", "--output", str(folder), "--tracking-uri", uri, *words)


def test_deliver_prints_the_number_of_entries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    uri = put_store(tmp_path / "log.db")
    log = open_log(tmp_path / "a", uri, "x")
    assert delivered(monkeypatch, tmp_path, uri) == 0
    assert f"a: {len(log.journal.entries)} entries delivered" in capsys.readouterr().out
    assert delivered(monkeypatch, tmp_path, uri) == 0
    assert f"nothing to deliver from {tmp_path}" in capsys.readouterr().out


def test_deliver_goes_on_after_a_launch_that_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    uri = put_store(tmp_path / "log.db")
    for name, experiment in (("a", "trashed"), ("b", "trashed"), ("c", "x"), ("d", "x")):
        log = open_log(tmp_path / name, uri, experiment)
        if name == "a":
            client = deliver_all(log, uri).client
            found = client.get_experiment_by_name(experiment)
            assert found is not None
            client.delete_experiment(found.experiment_id)
    path = tmp_path / "d" / JOURNAL
    path.write_bytes(re.sub(rb'.*"n":0,.*\n', b"", path.read_bytes()))
    assert delivered(monkeypatch, tmp_path, uri) == 2
    output, errors = capsys.readouterr()
    assert [line.split(":")[0] for line in output.splitlines()] == ["c"]
    assert "b: not delivered: experiment 'trashed' is in MLflow's trash; to restore it: " in errors
    assert "d: not delivered: " in errors
    assert "entry 0 is damaged" in errors


def test_deliver_brings_a_launch_of_another_store_only_if_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    open_log(tmp_path / "a", "http://me:***@team", "x")
    uri = put_store(tmp_path / "log.db")
    assert delivered(monkeypatch, tmp_path, uri) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first == "a: was begun for http://me:***@team; --launch a brings it here"
    assert second.startswith("nothing to deliver")
    assert delivered(monkeypatch, tmp_path, uri, "--launch", "a") == 0
    assert "entries delivered" in capsys.readouterr().out
    assert delivered(monkeypatch, tmp_path, uri, "--launch", "b") == 2
    assert "has no launch b" in capsys.readouterr().err


def test_deliver_to_a_store_that_is_away_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    open_log(tmp_path / "a", "http://127.0.0.1:1", "x")
    assert delivered(monkeypatch, tmp_path, "http://127.0.0.1:1") == 1
    assert capsys.readouterr().err.startswith("the store does not answer: ")


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("sqlite:///FOLDER", "no such MLflow store"),
        ("postgresql://me:secret@127.0.0.1:1/x", r"me:***@127.0.0.1:1/x: cannot be opened: "),
    ],
)
def test_deliver_asks_a_database_that_does_not_answer_once(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    uri: str,
    reason: str,
) -> None:
    uri = uri.replace("FOLDER", str(tmp_path))
    open_log(tmp_path / "a", uri, "x")
    assert delivered(monkeypatch, tmp_path, uri) == 2  # MLflow alone tries for minutes
    errors = capsys.readouterr().err
    assert reason in errors
    assert errors.count("\n") == 1


def test_an_address_in_the_environment_that_is_none_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://[x")
    with pytest.raises(SystemExit, match="2"):
        run(monkeypatch, "deliver")
    assert "error: MLFLOW_TRACKING_URI: http://[x: is no address" in capsys.readouterr().err


def test_the_environment_names_the_store_and_an_empty_option_none(
    tmp_path: Path,
    served: list[list[str]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///none.db")
    run(monkeypatch, "ui", "--port", "5009")
    assert served[0][-1] == f"sqlite:///{tmp_path / 'none.db'}"
    with pytest.raises(SystemExit, match="2"):
        run(monkeypatch, "ui", "--tracking-uri", "")
    assert "argument --tracking-uri: must not be empty" in capsys.readouterr().err
