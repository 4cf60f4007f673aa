"""A real MLflow server that can be stopped and started, and a small disk that fills up."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from tests.empty_store import put_store
from tests.end_to_end.servers import free_port, wait_until_it_answers


class Server:
    """``mlflow server`` on a port of this machine.

    Args:
        folder: Gets its log.
        store: URL of its database; by default a SQLite file in the folder.
        artifacts: Where it keeps files; by default in the folder.
    """

    def __init__(self, folder: Path, store: str = "", artifacts: str = "") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.store = store or put_store(folder / "server.db")
        self.artifacts = artifacts or str(folder / "art")
        self.port = free_port()
        self.uri = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        words = ["--backend-store-uri", self.store, "--artifacts-destination", self.artifacts]
        command = [
            sys.executable,
            "-m",
            "mlflow",
            "server",
            "--host",
            "127.0.0.1",
            "--workers",
            "1",
        ]
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "--port", str(self.port), *words],
                stdout=log,
                stderr=log,
                # it would start a dozen processes for jobs that nobody asks for
                env={**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
            )
        wait_until_it_answers(f"{self.uri}/health", self.folder / "server.log")

    def stop(self) -> None:
        """Kill it with all its processes."""
        if self.process is not None and self.process.poll() is None:
            for child in psutil.Process(self.process.pid).children(recursive=True):
                with suppress(psutil.NoSuchProcess):
                    child.kill()
            self.process.kill()
            self.process.wait()


@contextmanager
def small_disk(folder: Path, megabytes: float) -> Iterator[Path]:
    """Give a folder on a disk of its own of that size; needs the right to mount one."""
    folder.mkdir(parents=True, exist_ok=True)
    options = f"size={int(megabytes * 1024)}k"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def can_mount(folder: Path) -> bool:
    """Return whether a small disk can be had here."""
    try:
        with small_disk(folder / "probe", 1):
            return os.path.ismount(folder / "probe")
    except (OSError, subprocess.CalledProcessError):
        return False


def grow(folder: Path, megabytes: float) -> None:
    """Give a small disk another size."""
    options = f"remount,size={int(megabytes * 1024)}k"
    subprocess.run(["mount", "-o", options, str(folder)], check=True)
