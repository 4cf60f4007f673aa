"""Real servers that a cluster writes to, on this machine: PostgreSQL, and S3 as moto plays it."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

_PATIENCE = 120.0  # seconds until a server answers
REGION = "eu-north-1"


def free_port() -> int:
    """Return a port on which nothing listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def find_postgres() -> Path | None:
    """Return the folder of PostgreSQL's programs; None where it is not installed."""
    found = [place.parent for place in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    named = shutil.which("initdb")
    return max(found, default=Path(named).parent if named else None)


@contextmanager
def postgres(*databases: str) -> Iterator[dict[str, str]]:
    """Give the URLs of empty databases by name, on a PostgreSQL of their own."""
    programs = find_postgres()
    assert programs is not None
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="postgres-") as folder:
        as_owner = _owner_of(Path(folder))
        secret = Path(folder, "password")
        secret.write_text("secret\n")
        _run([programs / "initdb", "-D", f"{folder}/data", "-U", "tuner", "-A", "scram-sha-256",
              "--pwfile", secret, "--no-sync"], **as_owner)  # fmt: skip
        options = f"-p {port} -h 127.0.0.1 -k {folder} -c fsync=off"
        control = [programs / "pg_ctl", "-D", f"{folder}/data", "-w", "-s"]
        log = ["-l", f"{folder}/log", "-o", options]
        _run([*control, *log, "start"], **as_owner)
        try:
            login = {"env": {**os.environ, "PGPASSWORD": "secret"}}
            for name in databases:
                where = ["-h", "127.0.0.1", "-p", str(port), "-U", "tuner"]
                _run([programs / "createdb", *where, name], **login)
            yield {n: f"postgresql://tuner:secret@127.0.0.1:{port}/{n}" for n in databases}
        finally:
            _run([*control, "-m", "immediate", "stop"], **as_owner)


def _owner_of(folder: Path) -> dict[str, Any]:
    """Return as whom PostgreSQL runs, which is never root, after giving it the folder."""
    if os.geteuid() != 0:
        return {}
    user = pwd.getpwnam("postgres")
    os.chown(folder, user.pw_uid, user.pw_gid)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": [], "cwd": folder}


def _run(words: list[Any], **how: Any) -> None:  # noqa: ANN401 - as subprocess takes it
    ended = subprocess.run(
        [str(word) for word in words], capture_output=True, text=True, check=False, **how
    )
    assert ended.returncode == 0, ended.stderr


@contextmanager
def s3(folder: Path, *buckets: str, guarded_after: int | None = None) -> Iterator[dict[str, str]]:
    """Give the environment in which boto3 and pyarrow reach an S3 with these buckets.

    Args:
        folder: Gets the server's log.
        buckets: Made, empty.
        guarded_after: Requests that are let through; the server then asks for credentials,
            and knows none.
    """
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    environment = {
        "AWS_ACCESS_KEY_ID": "tuner",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL": url,
    }
    guard = {} if guarded_after is None else {"INITIAL_NO_AUTH_ACTION_COUNT": str(guarded_after)}
    with (folder / "s3.log").open("ab") as log:
        server = subprocess.Popen(
            [sys.executable, "-c", "from moto.server import main; main()", "-p", str(port)],
            stdout=log, stderr=log, env={**os.environ, **guard},
        )  # fmt: skip
        try:
            wait_until_it_answers(f"{url}/moto-api/", folder / "s3.log")
            for bucket in buckets:
                _make_bucket(url, bucket)
            yield environment
        finally:
            server.terminate()
            server.wait()


def _make_bucket(url: str, name: str) -> None:
    import boto3

    keys = {"aws_access_key_id": "tuner", "aws_secret_access_key": "secret"}
    client = boto3.client("s3", endpoint_url=url, region_name=REGION, **keys)
    client.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})


def wait_until_it_answers(url: str, log: Path) -> None:
    """Return as soon as a server answers there.

    Raises:
        TimeoutError: If it does not in two minutes; with what it logged.
    """
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        with suppress(OSError), urllib.request.urlopen(url, timeout=5):
            return
        time.sleep(0.2)
    raise TimeoutError(log.read_text())
