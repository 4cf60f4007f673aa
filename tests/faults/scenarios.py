"""Faults of processes and files: each harms a launch, lets it go on, says what it did to it."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from subprocess import Popen

from tests.faults.harness import Harm, History, Launch, SearchLaunch

Expected = dict[str, History]
Wait = Callable[[Launch, Popen[str]], object]


def driver_killed(
    folder: Path,
    expected: Expected,
    count: int,
    seed: int,
    spoiled: tuple[str, ...] = (),
    seconds: float | None = None,
) -> Harm:
    """SIGKILL the driver at random moments, and let it go on each time.

    Args:
        folder: Gets the launch.
        expected: What it should come to.
        count: How often.
        seed: Of the moments.
        spoiled: Patterns of files below the results; after each kill a byte of one is changed.
        seconds: In which each moment lies; without, it comes one to four epochs after the last.
    """
    draw = random.Random(seed)
    wait = some_epochs(draw) if seconds is None else some_seconds(draw, seconds)

    def harm_it(launch: Launch) -> None:
        for pattern in spoiled:
            spoil(sorted(launch.output.glob(pattern))[:1], draw)

    return killed(Launch, folder, expected, count, wait, harm_it)


def some_seconds(draw: random.Random, most: float) -> Wait:
    """Return a wait that ends at any moment, whatever the launch does then."""
    return lambda launch, driver: time.sleep(draw.uniform(0, most))


def some_epochs(draw: random.Random) -> Wait:
    """Return a wait that ends while trials train, however busy the machine is."""

    def wait(launch: Launch, driver: Popen[str]) -> None:
        enough = launch.epochs() + draw.randint(1, 4)
        launch.wait(lambda: launch.epochs() >= enough, driver)

    return wait


def killed(
    kind: type[Launch],
    folder: Path,
    expected: Expected,
    count: int,
    wait: Wait,
    after: Callable[[Launch], None] = lambda launch: None,
) -> Harm:
    """SIGKILL drivers ``count`` times, of one launch or, where it ends before, of several.

    Args:
        kind: Of the launches.
        folder: Gets a folder for each.
        expected: What each should come to.
        count: Of the kills.
        wait: Lasts from the start of a driver to its kill.
        after: Done after each kill.
    """
    launches = [kind(folder / "0")]
    left = count
    while left:
        driver = launches[-1].start()
        wait(launches[-1], driver)
        ended = driver.poll() is not None
        if ended:
            launches[-1].end(driver)
        else:
            launches[-1].kill(driver)
            after(launches[-1])
            left -= 1
        if ended or launches[-1].is_done:  # it was killed in its last moment, or not at all
            launches.append(kind(folder / str(len(launches))))
    launches[-1].finish()
    return added([launch.harm(expected) for launch in launches])


def added(harms: list[Harm]) -> Harm:
    """Return all that was done to several launches."""
    return Harm(
        **{
            f.name: [each for harm in harms for each in getattr(harm, f.name)]
            for f in fields(Harm)
        }
    )


def search_killed(folder: Path, expected: Expected, count: int, seed: int, seconds: float) -> Harm:
    """SIGKILL the driver of a search at random moments, and let it go on each time."""
    draw = random.Random(seed)
    return killed(SearchLaunch, folder, expected, count, some_seconds(draw, seconds))


def spoil(paths: list[Path], draw: random.Random) -> None:
    """Change a byte of each file on the disk; what a process has mapped of it stays whole.

    Workers of a driver that was killed train on for a moment, on states that they have mapped.
    """
    for path in paths:
        content = bytearray(path.read_bytes())
        content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
        beside = path.with_name(f"{path.name}.spoiled")
        beside.write_bytes(content)
        beside.replace(path)


def worker_killed(folder: Path, expected: Expected, seed: int) -> Harm:
    """SIGKILL a worker that trains; the launch goes on by itself."""
    launch, draw = Launch(folder), random.Random(seed)
    driver = launch.start()
    after = draw.randint(1, 8)
    launch.wait(lambda: bool(launch.workers(driver)) and launch.epochs() >= after, driver)
    for worker in launch.workers(driver)[:1]:
        worker.kill()
    if launch.end(driver) != 0:
        return Harm(lost=[launch.texts[-1]])
    return launch.harm(expected)


def worker_hung(folder: Path, expected: Expected, seed: int) -> Harm:
    """Stop a worker that trains, without end; the launch kills it and goes on."""
    launch, draw = Launch(folder, more=("--set", "report_timeout=15")), random.Random(seed)
    driver = launch.start()
    after = draw.randint(1, 8)
    launch.wait(lambda: bool(launch.workers(driver)) and launch.epochs() >= after, driver)
    launch.note(driver)
    for worker in launch.workers(driver)[:1]:
        worker.suspend()
    if launch.end(driver) != 0:
        return Harm(lost=[launch.texts[-1]])
    return launch.harm(expected)


def interrupted(folder: Path, expected: Expected, seed: int, times: int) -> Harm:
    """Press Ctrl-C, once or twice; the command ends with 130 and what it says resumes it."""
    launch, draw = Launch(folder), random.Random(seed)
    driver = launch.start()
    after = draw.randint(1, 8)
    launch.wait(lambda: launch.epochs() >= after, driver)
    launch.note(driver)
    for _ in range(times):
        os.kill(driver.pid, signal.SIGINT)
        time.sleep(0.2)
    code = launch.end(driver)
    harm = Harm(processes=launch.left())
    if code != 130 or (times == 1 and "--resume" not in launch.texts[-1]):
        harm.lost.append(f"exit code {code}: {launch.texts[-1]}")
    launch.finish()
    found = launch.harm(expected)
    found.processes += harm.processes
    found.lost += harm.lost
    return found


def damaged(folder: Path, expected: Expected, pattern: str, seed: int) -> Harm:
    """Kill the driver when a file is there, change a byte of it, and go on.

    Args:
        folder: Gets the launch.
        expected: What it should come to.
        pattern: Of the file, below the folder of results.
        seed: Of the byte.
    """
    launch = Launch(folder)
    driver = launch.start()
    launch.wait(lambda: bool(list(launch.output.glob(pattern))) and launch.epochs() > 9, driver)
    launch.kill(driver)
    found = sorted(launch.output.glob(pattern))[:1]
    spoil(found, random.Random(seed))
    launch.finish()
    harm = launch.harm(expected)
    return harm if found else replace(harm, lost=[*harm.lost, f"no file {pattern} to damage"])


def two_at_once(folder: Path, expected: Expected) -> Harm:
    """Run two launches at the same time, with one cache, one store and one folder of results."""
    one, other = Launch(folder), Launch(folder, more=("--set", "name=twin"))
    drivers = [launch.start() for launch in (one, other)]
    codes = [launch.end(driver) for launch, driver in zip((one, other), drivers, strict=True)]
    other.name = "twin"
    harms = [launch.harm(expected) for launch in (one, other)]
    cached = list(one.output.glob("activations/*.safetensors"))
    lost = [f"exit code {code}" for code in codes if code] + harms[0].lost + harms[1].lost
    if len(cached) != 2:  # one for each boundary
        lost.append(f"{len(cached)} caches")
    return replace(harms[0], lost=lost, differing=harms[0].differing + harms[1].differing)
