"""The log at the command line: python -m tuning.tracking ui, and deliver.

``ui`` serves MLflow's pages and prints the address that shows the newest launch. ``deliver``
tells the store what it lacks of the launches in a folder: entries that waited, or all of them.
"""

from __future__ import annotations

import argparse
import os
import socket
import sys
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import NoReturn

from measures.addresses import AddressError, choose_store, store_uri, user_path
from measures.command_line import run_command
from measures.passwords import first_line, hide_passwords
from tuning.system.project import ROOT
from tuning.tracking.mlflow_pages import view_address


def main() -> int:
    """Return 0 if all went well, 1 if entries wait for the store, 2 if it or the port is unusable.

    What imports MLflow, which takes seconds, is imported by the commands, not for their help.
    """
    parser = argparse.ArgumentParser(allow_abbrev=False, prog="python -m tuning.tracking")
    text = "ui: serve MLflow's pages; deliver: write to MLflow the journal entries that it lacks"
    parser.add_argument("command", choices=["ui", "deliver"], help=text)
    text = "deliver: folder of the launches; default: results of the project"
    parser.add_argument("--output", type=user_path, default=ROOT / "results", help=text)
    text = "deliver: names of the launches; default: all that were begun for the store"
    parser.add_argument("--launch", nargs="+", metavar="NAME", default=(), help=text)
    text = "MLflow store; default: MLFLOW_TRACKING_URI, else mlflow.db of the project"
    parser.add_argument("--tracking-uri", type=store_uri, help=text)
    text = "ui: address to listen on; default: %(default)s, for this machine alone"
    parser.add_argument("--host", default="127.0.0.1", help=text)
    text = "ui: port to listen on; default: %(default)s"
    parser.add_argument("--port", type=int, default=5000, help=text)
    args = parser.parse_args()
    try:
        uri = choose_store(args.tracking_uri)
    except AddressError as error:
        parser.error(str(error))
    if args.command == "ui":
        return show_newest(uri, args.host, args.port)
    return deliver_all(args.output.resolve(), uri, args.launch)


def show_newest(uri: str, host: str, port: int) -> int:
    """Print the address of the newest launch's view, and serve the pages until Ctrl-C.

    A store behind a server of its own has its pages there: the address is all.
    """
    from tuning.system.sqlite_lock import lock_sqlite
    from tuning.tracking.mlflow_reader import STORE_ERRORS, find_newest_launch
    from tuning.tracking.store_check import absent_file, make_folder, make_store, quiet_libraries

    served = uri.startswith("http")
    server = uri if served else f"http://{host}:{port}"
    file = absent_file(uri)
    try:
        if not served:
            _check_port(host, port)
        if file is not None:  # here: MLflow's server would make it table by table
            quiet_libraries()
            make_folder(file.parent)
            with lock_sqlite(uri):
                make_store(file)
            print(f"{file} did not exist: an empty store was made there", flush=True)
        newest = find_newest_launch(uri)
    except (*STORE_ERRORS, OverflowError) as error:
        print(f"python -m tuning.tracking: error: {error}", file=sys.stderr)
        return 2
    if newest is None:
        shown = hide_passwords(server)
        print(f"{shown}   (it has no launch yet: make grid starts one)", flush=True)
    else:
        print(f"The newest launch: {view_address(server, *newest)}", flush=True)
    if not served:
        _become_server(uri, host, port)
    return 0


def _check_port(host: str, port: int) -> None:
    """Check that this program can listen on the port: MLflow would end with exit code 0.

    Raises:
        OSError, OverflowError: If it cannot.
    """
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        socket.create_server((host, port), family=family).close()
    except OSError as error:
        raise OSError(
            f"port {port} of {host} cannot be listened on ({error.strerror or error}): make ui "
            f'may be running already; make ui ARGS="--port {port + 1}" takes another'
        ) from error


def _become_server(uri: str, host: str, port: int) -> NoReturn:
    # not as an argument: a list of processes would show its password
    own = {"MLFLOW_BACKEND_STORE_URI": uri, "MLFLOW_DISABLE_TELEMETRY": "true"}
    # jobs take a dozen processes, and each of MLflow's four workers imports for seconds
    fewer = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_WORKERS": "1"}
    command = [sys.executable, "-m", "mlflow", "ui", "--host", host, "--port", str(port)]
    os.execve(sys.executable, command, {**fewer, **os.environ, **own})


def deliver_all(output: Path, uri: str, names: Collection[str] = ()) -> int:
    """Tell the store what it lacks of the launches in a folder; a refused one stops no other.

    Args:
        output: Folder of the launches.
        uri: URI of the store.
        names: Names of the launches; if there are none, those that were begun for this store.
    """
    from tuning.tracking.journal import JOURNAL
    from tuning.tracking.mlflow_reader import STORE_ERRORS, find_launches
    from tuning.tracking.store_check import is_away

    folders = sorted(path.parent for path in output.glob(f"*/{JOURNAL}"))
    unknown = set(names) - {folder.name for folder in folders}
    if unknown:
        print(f"{output}: has no launch {', '.join(sorted(unknown))}", file=sys.stderr)
        return 2
    try:
        known = find_launches(uri) if folders else {}
    except STORE_ERRORS as error:
        print(f"the store does not answer: {first_line(error)}", file=sys.stderr)
        return 1 if is_away(error, uri) else 2
    code = count = 0
    for folder in folders:
        if names and folder.name not in names:
            continue
        try:
            count += _deliver_one(folder, uri, known, named=bool(names))
        except STORE_ERRORS as error:
            print(f"{folder.name}: not delivered: {first_line(error)}", file=sys.stderr)
            code = max(code, 1 if is_away(error, uri) else 2)
    if not count and not code:
        print(f"nothing to deliver from {output}")
    return code


def _deliver_one(folder: Path, uri: str, known: Mapping[str, bool], *, named: bool) -> int:
    """Tell the store what it lacks of a launch; return the number of entries.

    Args:
        folder: Folder of the launch.
        uri: URI of the store.
        known: Launches that the store has, from ``find_launches``.
        named: Whether the user named the launch; if not, it must have been begun for this store.

    Raises:
        MlflowException, SQLAlchemyError, OSError: If it cannot be delivered.
    """
    from tuning.tracking.delivery import deliver
    from tuning.tracking.journal import Journal, begun_for, count_delivered

    journal = Journal(folder)
    if not journal.entries:
        return 0
    there = known.get(str(journal.entries[0]["launch"]), False)
    if not named and not begun_for(journal, uri):
        if not there:  # else the store was moved here since
            other, name = journal.entries[0]["uri"], folder.name
            print(f"{name}: was begun for {other}; --launch {name} brings it here")
        return 0
    if there and count_delivered(journal, uri) == len(journal.entries):
        return 0
    count = deliver(folder, uri)
    print(f"{folder.name}: {count} entries delivered")
    return count


if __name__ == "__main__":
    sys.exit(run_command(main))
