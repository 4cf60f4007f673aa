"""Addresses as users write them: folders, and MLflow stores with what lies beside them on disk."""

from __future__ import annotations

import argparse
import os
import shlex
from pathlib import Path
from urllib.parse import unquote, urlsplit

from measures.passwords import first_line, hide_passwords
from measures.sqlite_tables import read_tables

ROOT = Path(__file__).resolve().parents[1]
_TRACKING, _REGISTRY = "MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI"  # read by MLflow too
_SQLITE = ("sqlite:", "sqlite+")
_DATABASES = ("sqlite", "postgresql", "mysql", "mssql")


class AddressError(argparse.ArgumentTypeError, OSError):
    """An address that cannot be used; the message has the reason and the way out."""


def user_path(text: str) -> Path:
    """Return a path as the user wrote it, with the home folder for a ``~`` at its beginning.

    Raises:
        AddressError: If it is empty, or there is no such home folder.
    """
    if not text.strip():
        raise AddressError("must not be empty; write . for the current folder")
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise AddressError(
            f"{text}: there is no such home folder; write the whole path, or ./{text} for what "
            "bears that name"
        ) from error


def script(name: str) -> str:
    """Return the path of this project's script from the current folder, for printed commands."""
    return os.path.relpath(ROOT / name)


def store_uri(text: str) -> str:
    """Return the value of ``--tracking-uri``, with an absolute path if it is a SQLite file.

    Raises:
        AddressError: If it is empty, no address, or a database in memory, which ends with the
            command.
    """
    if not text.strip():
        raise AddressError("must not be empty; leave the option out for the default store")
    try:
        urlsplit(text)
    except ValueError as error:
        raise AddressError(f"{hide_passwords(text)}: is no address: {error}") from error
    if text.startswith(_SQLITE) and sqlite_path(text) is None:
        raise AddressError(
            f"{hide_passwords(text)}: names no file, and nothing would be kept; write "
            "sqlite:////FOLDER/FILE.db"
        )
    return absolute_store(text)


def absolute_store(uri: str) -> str:
    """Return a store's URI with an absolute path if it is a SQLite file; any other as it is."""
    path = sqlite_path(uri)
    if path is None or "?" not in uri:
        return uri if path is None else sqlite_url(path)
    from sqlalchemy.engine import make_url

    url = make_url(uri)
    return url.set(database=str(path)).render_as_string() if url.query else sqlite_url(path)


def sqlite_url(path: Path) -> str:
    """Return the URL of a SQLite file; only a path that a URL cannot hold as it is gets quoted."""
    plain = f"sqlite:///{path}"
    if not {"%", "?"} & set(plain):
        return plain  # without SQLAlchemy: its import takes longer than the rest of --dry-run's
    from sqlalchemy.engine import URL, make_url

    if make_url(plain).database == str(path):
        return plain
    # with the driver's name MLflow makes no folder that is called as the quoted path
    return URL.create("sqlite+pysqlite", database=str(path)).render_as_string()


def sqlite_path(url: str) -> Path | None:
    """Return the absolute path of a SQLite URL's file; None for a server, or without a file.

    Raises:
        AddressError: If the path begins with a home folder that does not exist.
    """
    if not url.startswith(_SQLITE):
        return None
    database = url.removeprefix("sqlite:///")
    if database == url or {"%", "?"} & set(url):  # else without SQLAlchemy, as above
        from sqlalchemy import exc, make_url

        try:
            database = make_url(url).database
        except (exc.ArgumentError, ValueError):
            return None
    if not database or database.startswith((":memory:", "file:")):
        return None
    return user_path(database).absolute()


def project_store() -> str:
    """Return the URI of the project's own MLflow store."""
    return sqlite_url(ROOT / "mlflow.db")


def choose_store(given: str | None = None) -> str:
    """Return the URI of the MLflow store: the given one, else the environment's, else our own.

    Raises:
        AddressError: If it cannot be one.
    """
    return absolute_store(uri) if (uri := given or _store_of_environment()) else project_store()


def choose_registry(store: str) -> str:
    """Return the URI of the model registry that belongs to a store: the store itself.

    ``MLFLOW_REGISTRY_URI`` names another for the store of ``MLFLOW_TRACKING_URI`` alone, so that
    a champion never lands apart from a run whose store was named in another way.
    """
    named = os.environ.get(_REGISTRY)
    return absolute_store(named) if named and store == _store_of_environment() else store


def _store_of_environment() -> str | None:
    try:
        return store_uri(os.environ[_TRACKING]) if os.environ.get(_TRACKING) else None
    except AddressError as error:
        raise AddressError(f"{_TRACKING}: {error}") from error


def store_rows(store: str) -> dict[str, str]:
    """Return the rows of a plan that say where the log and the models are written, and why."""
    rows, registry = {"log": hide_passwords(store)}, choose_registry(store)
    if store == _store_of_environment():
        rows["log"] += f" ({_TRACKING})"
    if registry != store:
        rows["registry"] = f"{hide_passwords(registry)} ({_REGISTRY})"
    elif os.environ.get(_REGISTRY):
        rows["registry"] = f"the same store; {_REGISTRY} counts only with {_TRACKING}"
    return rows


def is_default_store(store: str) -> bool:
    """Return whether every command takes this store, the project's own, without being told."""
    return store == project_store() == choose_store()


def is_database(store: str) -> bool:
    """Return whether a store is a database, which ``mlflow ui`` can open, and not a server."""
    return urlsplit(store).scheme.partition("+")[0] in _DATABASES


def check_readable(store: str) -> None:
    """Check that a store is there, before MLflow makes its file or knocks for minutes.

    Servers that are no databases are not asked.

    Raises:
        AddressError: If it is absent, no MLflow store, or a database that does not answer.
    """
    path = sqlite_path(store)
    if path is not None and not path.is_file():
        raise AddressError(
            f"{path}: no such MLflow store; python tuning/run_grid.py makes one, --tracking-uri "
            "names another"
        )
    if path is not None:
        check_tables(path, empty_passes=False)
    elif is_database(store):
        _connect_once(store)


def check_tables(path: Path, *, empty_passes: bool) -> None:
    """Check that a SQLite file is MLflow's: MLflow would add its tables to any other database.

    A file that is locked, or is no database, passes: MLflow says so.

    Raises:
        AddressError: If it cannot be opened, or has the tables of another program.
    """
    other = "--tracking-uri names another"
    try:
        found = read_tables(path)
    except OSError as error:
        raise AddressError(f"{path}: cannot be opened: {error}; {other}") from error
    if found is None or "experiments" in found:
        return
    if found or not empty_passes:
        raise AddressError(f"{path}: is a database without an MLflow store; {other}")


def _connect_once(store: str) -> None:
    """Connect to a database server a single time: MLflow would try for more than a minute.

    Raises:
        AddressError: If that fails.
    """
    from sqlalchemy import create_engine, exc

    try:
        engine = create_engine(store)
        try:
            engine.connect().close()
        finally:
            engine.dispose()
    except (exc.SQLAlchemyError, ImportError, OSError) as error:
        reason = f"{hide_passwords(store)}: cannot be opened: {first_line(error)}"
        raise AddressError(f"{reason}; --tracking-uri names another store") from error


def find_moved(artifacts: str, store: str) -> Path | None:
    """Return the folder of a run's artifacts if it was moved together with the store's file.

    Args:
        artifacts: URI of the folder, as the store has it; its end is the run's id and a name.
        store: URI of the store.

    Returns:
        The folder, beside the store; None if the recorded one exists, or none was found.
    """
    file, parts = sqlite_path(store), urlsplit(artifacts)
    if file is None or parts.scheme not in ("", "file"):
        return None
    recorded = Path(unquote(parts.path) if parts.scheme else artifacts)
    if recorded.is_dir():
        return None
    names = recorded.parts[1:]
    beside = (file.parent.joinpath(*names[first:]) for first in range(len(names) - 1))
    return next((folder for folder in beside if folder.is_dir()), None)


def in_trash(experiment: str, experiment_id: str, store: str) -> str:
    """Return the sentence on an experiment in MLflow's trash, with the command to restore it."""
    named = shlex.quote(hide_passwords(store))
    return (
        f"experiment {experiment!r} is in MLflow's trash; to restore it: {_TRACKING}={named} "
        f"python -m mlflow experiments restore --experiment-id {experiment_id}"
    )
