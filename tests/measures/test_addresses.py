"""Guards addresses: odd folders, home folders, whose store is taken, and what is refused."""

import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from measures.addresses import (
    ROOT,
    AddressError,
    absolute_store,
    check_readable,
    choose_registry,
    choose_store,
    find_moved,
    in_trash,
    is_database,
    is_default_store,
    project_store,
    script,
    sqlite_path,
    sqlite_url,
    store_rows,
    store_uri,
    user_path,
)

ODD = [
    "a b",
    "a-b_c.d",
    "a..",
    "50%20done",
    "why?",
    "ü",
    "#x",
    "x;y",
    "[z]",
    "it's",
    "{b}",
    "$HOME",
    "a+b&c=d",
]


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("MLFLOW_REGISTRY_URI", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


def test_a_printed_command_has_its_script_from_any_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    assert script("tuning/reproduce.py") == "tuning/reproduce.py"
    monkeypatch.chdir(tmp_path)
    assert Path(script("tuning/reproduce.py")).samefile(ROOT / "tuning/reproduce.py")


@pytest.mark.parametrize("name", ODD)
def test_a_database_lies_in_a_folder_of_any_name(tmp_path: Path, name: str) -> None:
    path = tmp_path / name / "x.db"
    path.parent.mkdir()
    url = sqlite_url(path)
    engine = create_engine(url)
    engine.connect().close()
    engine.dispose()
    assert path.is_file()
    assert sqlite_path(url) == path
    assert absolute_store(url) == url


def test_a_url_stays_readable_where_nothing_has_to_be_quoted() -> None:
    assert sqlite_url(Path("/a b/ü/#x.db")) == "sqlite:////a b/ü/#x.db"
    assert absolute_store("sqlite:////a%20b/x.db") == "sqlite:////a b/x.db"
    assert absolute_store("sqlite:////a/x.db?timeout=5") == "sqlite:////a/x.db?timeout=5"


def test_a_relative_or_home_store_becomes_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert store_uri("sqlite:///log.db") == sqlite_url(tmp_path / "log.db")
    assert store_uri("sqlite:///~/log.db") == sqlite_url(tmp_path / "home/log.db")
    assert store_uri("http://host:5000") == "http://host:5000"
    with pytest.raises(AddressError, match=r"~nobody-here/x\.db: there is no such home folder"):
        store_uri("sqlite:///~nobody-here/x.db")


@pytest.mark.parametrize(
    "url", ["postgresql://a/b", "sqlite://", "sqlite:///:memory:", "sqlite:nothing", "x"]
)
def test_what_has_no_file_is_left_as_it_is(url: str) -> None:
    assert sqlite_path(url) is None
    assert absolute_store(url) == url


def test_a_path_may_begin_with_a_home_folder(tmp_path: Path) -> None:
    assert user_path("~/x") == tmp_path / "home/x"
    assert user_path("a/~") == Path("a/~")
    with pytest.raises(AddressError, match=r"there is no such home folder; .* or \./~nobody-here"):
        user_path("~nobody-here")


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("sqlite://", "names no file, and nothing would be kept"),
        ("sqlite:///", "names no file, and nothing would be kept"),
        ("sqlite:///:memory:", r"write sqlite:////FOLDER/FILE\.db"),
        ("sqlite+pysqlite:///file:x?mode=memory&uri=true", "names no file"),
        ("http://[x", "is no address: Invalid IPv6 URL"),
        ("http://me:secret@[x", r"http://me:\*\*\*@\[x: is no address"),
        ("  ", "must not be empty"),
    ],
)
def test_a_store_that_keeps_nothing_is_refused_from_an_option_and_from_the_environment(
    text: str, rule: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(AddressError, match=rule):
        store_uri(text)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", text)
    for read in (choose_store, lambda: store_rows("http://host")):
        with pytest.raises(AddressError, match=f"MLFLOW_TRACKING_URI: .*{rule}"):
            read()


@pytest.mark.parametrize("text", ["", "  "])
def test_an_empty_address_is_refused(text: str) -> None:
    for read in (store_uri, user_path):
        with pytest.raises(AddressError, match="must not be empty"):
            read(text)


def test_the_option_comes_before_the_environment_and_that_before_the_projects_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert choose_store() == project_store() == sqlite_url(ROOT / "mlflow.db")
    assert is_default_store(project_store())
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    assert choose_store() == project_store()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///team.db")
    assert choose_store() == sqlite_url(tmp_path / "team.db")
    assert choose_store("http://host") == "http://host"
    assert not is_default_store(project_store())


def test_the_registry_is_the_store_unless_the_environment_names_both(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert store_rows("http://me:secret@a") == {"log": "http://me:***@a"}
    monkeypatch.setenv("MLFLOW_REGISTRY_URI", "http://registry")
    assert choose_registry("http://a") == "http://a"
    assert "MLFLOW_REGISTRY_URI counts only with" in store_rows("http://a")["registry"]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://team")
    assert choose_registry("http://a") == "http://a"
    assert choose_registry("http://team") == "http://registry"
    assert store_rows("http://team") == {
        "log": "http://team (MLFLOW_TRACKING_URI)",
        "registry": "http://registry (MLFLOW_REGISTRY_URI)",
    }


def test_only_databases_are_opened_by_mlflows_own_page() -> None:
    found = [is_database(uri) for uri in ("sqlite:///x", "postgresql+psycopg://h/x", "http://h")]
    assert found == [True, True, False]


def test_a_store_that_is_absent_is_named_and_not_made(tmp_path: Path) -> None:
    with pytest.raises(AddressError, match=r"none\.db: no such MLflow store; .*--tracking-uri"):
        check_readable(sqlite_url(tmp_path / "none.db"))
    assert not list(tmp_path.iterdir())


def test_a_database_of_another_program_is_no_store(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as database:
        database.execute("create table studies (study_id integer)")
    before = path.read_bytes()
    for content in (before, b""):
        path.write_bytes(content)
        with pytest.raises(AddressError, match="is a database without an MLflow store"):
            check_readable(sqlite_url(path))
        assert path.read_bytes() == content


def test_a_database_server_that_is_away_is_asked_once_and_named() -> None:
    with pytest.raises(AddressError, match=r"127\.0\.0\.1:1/x: cannot be opened: ") as caught:
        check_readable("postgresql+psycopg://me:secret@127.0.0.1:1/x")
    assert "secret" not in str(caught.value)


def test_artifacts_are_found_beside_the_place_to_which_both_were_moved(tmp_path: Path) -> None:
    run = "out ü/mlartifacts/x/0123/artifacts"
    new = tmp_path / "new" / run
    new.mkdir(parents=True)
    store = sqlite_url(tmp_path / "new/log.db")
    old = (tmp_path / "old" / run).as_uri()
    assert find_moved(old, store) == new
    assert find_moved(old.removeprefix("file://").replace("%20", " "), "http://host") is None
    assert find_moved("s3://bucket/0123/artifacts", store) is None
    assert find_moved((tmp_path / "old/out/other/artifacts").as_uri(), store) is None
    (tmp_path / "old" / run).mkdir(parents=True)
    assert find_moved(old, store) is None


def test_the_command_that_restores_an_experiment_can_be_pasted() -> None:
    sentence = in_trash("grid", "7", "sqlite:////a b/log.db")
    assert sentence.endswith(
        "MLFLOW_TRACKING_URI='sqlite:////a b/log.db' python -m mlflow experiments restore "
        "--experiment-id 7"
    )
