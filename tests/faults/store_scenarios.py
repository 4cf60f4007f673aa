"""Faults of stores and disks: each harms a launch, lets it go on, says what it did to it."""

from __future__ import annotations

import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

from tests.faults.harness import Harm, Launch
from tests.faults.scenarios import Expected
from tests.faults.stores import Server, grow, small_disk
from tuning.system.project import ROOT

MEGABYTES = 6.7  # that its results and cache take


def store_stopped(folder: Path, expected: Expected, seed: int) -> Harm:
    """Stop the MLflow server while trials run, and start it again before they end or after."""
    server, draw = Server(folder / "server"), random.Random(seed)
    launch = Launch(folder, store=server.uri)
    server.start()
    try:
        driver = launch.start()
        after = draw.randint(1, 12)
        launch.wait(lambda: launch.epochs() >= after, driver)
        server.stop()
        if draw.random() < 0.5:
            time.sleep(draw.uniform(0, 4))
            server.start()
        code = launch.end(driver)
        server.stop()
        server.start()
        deliver(launch)
        harm = launch.harm(expected)
    finally:
        server.stop()
    if code != 0:
        harm.lost.append(f"exit code {code}: {launch.texts[-1]}")
    return harm


def store_stopped_and_interrupted(folder: Path, expected: Expected) -> Harm:
    """Kill a worker, stop the MLflow server, press Ctrl-C; then start the server and go on."""
    server = Server(folder / "server")
    launch = Launch(folder, store=server.uri)
    server.start()
    try:
        driver = launch.start()
        launch.wait(lambda: launch.epochs() >= 2, driver)
        launch.workers(driver)[0].kill()
        server.stop()
        launch.wait(lambda: launch.epochs() >= 6, driver)
        launch.note(driver)
        driver.send_signal(signal.SIGINT)
        code = launch.end(driver)
        told = "is tried again" in launch.texts[-2] and "--resume" in launch.texts[-1]
        server.start()
        launch.finish()
        harm = launch.harm(expected)
    finally:
        server.stop()
    if code != 130 or not told:
        harm.lost.append(f"exit code {code}: {launch.texts}")
    return harm


def store_away(folder: Path, expected: Expected) -> Harm:
    """Start a launch while its MLflow server is away, and deliver when it is there."""
    server = Server(folder / "server")
    launch = Launch(folder, store=server.uri)
    code = launch.finish()
    server.start()
    try:
        deliver(launch)
        harm = launch.harm(expected)
    finally:
        server.stop()
    if code != 0 or "training does not wait" not in "".join(launch.texts).replace("\n", " "):
        harm.lost.append(f"exit code {code}: {launch.texts}")
    return harm


def store_locked(folder: Path, expected: Expected, seed: int) -> Harm:
    """Lock MLflow's database while trials run, until they have ended."""
    launch, draw = Launch(folder), random.Random(seed)
    driver = launch.start()
    after = draw.randint(1, 12)
    launch.wait(lambda: launch.epochs() >= after, driver)
    with sqlite3.connect(folder / "log.db", timeout=60, isolation_level=None) as other:
        other.execute("begin exclusive")
        code = launch.end(driver)
        other.execute("rollback")
    deliver(launch)
    harm = launch.harm(expected)
    if code != 0:
        harm.lost.append(f"exit code {code}: {launch.texts[-1]}")
    return harm


def deliver(launch: Launch) -> None:
    """Bring to MLflow what it has not been told, as a user does."""
    words = ["--output", str(launch.output), "--tracking-uri", launch.store]
    command = [sys.executable, "-m", "tuning.tracking", "deliver", *words]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    launch.texts += [ended.stdout, ended.stderr]


def disk_full(folder: Path, expected: Expected, share: float) -> Harm:
    """Let the disk of the results fill up, make it larger, and go on.

    Args:
        folder: Gets the launch.
        expected: What it should come to.
        share: Of what a launch needs, how much there is.
    """
    with small_disk(folder / "small", share * MEGABYTES) as output:
        launch = Launch(folder, output=output)
        code = launch.finish()
        said = launch.texts[-1]
        grow(output, 4 * MEGABYTES)
        launch.finish()
        harm = launch.harm(expected)
    if code != 2 or "cannot be written" not in said or str(output) not in said:
        harm.lost.append(f"exit code {code}: {said}")
    return harm
