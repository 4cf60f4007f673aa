"""Look at this machine, and say what a grid would find here: python -m tuning.doctor.

The page holds no password, token or key: it can be pasted into a bug report.
"""

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from measures.addresses import AddressError, choose_store, store_uri, user_path
from measures.command_line import run_command
from measures.passwords import first_line
from models.table_files import DataError
from tuning.config.experiment import Cleaning
from tuning.data import parade
from tuning.data.pairs import read_pairs
from tuning.data.sources import (
    DEFAULT_ENCODER,
    DataLocations,
    SourceError,
    find_data,
    find_encoder,
    read_locations,
)
from tuning.download import packaged_encoder
from tuning.download.hub_download import find_cached_encoder
from tuning.download.packaged_encoder import PackageError, find_packaged_encoder
from tuning.system.findings import (
    Finding,
    check_environment,
    check_folder,
    check_hardware,
    check_versions,
    hide_secrets,
    project_folder,
)
from tuning.system.gpus import check_gpus
from tuning.system.machine import (
    RATES_FILE,
    describe_rates,
    forget_rates,
    load_or_measure,
    recall_rates,
)
from tuning.system.project import ROOT
from tuning.system.signals import INTERRUPTED
from tuning.tracking.store_check import check_store

_BROKEN = "mend the environment variables and the files that this names, or report it as an error"

_TRY_SECONDS = 90.0  # for a session of its own to start, run a task and end
_TRY = """\
import ray
from tuning.execution.ray_session import ray_session
with ray_session(None):
    ray.get(ray.remote(lambda: None).remote())
    found = ray.cluster_resources()
print(f"{found.get('CPU', 0):g} cores, {found.get('GPU', 0):g} GPUs")
"""


def main() -> int:
    """Return 0 if a grid can run on this machine, 1 if it cannot, 130 after Ctrl-C."""
    parser = argparse.ArgumentParser(
        allow_abbrev=False,
        prog="python -m tuning.doctor",
        description="Say what a grid would find on this machine.",
    )
    add = parser.add_argument
    text = "folder for results; default: results of the project"
    add("--output", type=user_path, default=ROOT / "results", help=text)
    text = "MLflow store; default: MLFLOW_TRACKING_URI, else mlflow.db in the project's folder"
    add("--tracking-uri", type=store_uri, help=text)
    add("--measure", action="store_true", help="measure this machine anew")
    args = parser.parse_args()
    try:
        return print_page(examine(args.output.absolute(), args.tracking_uri, anew=args.measure))
    except KeyboardInterrupt:
        return INTERRUPTED


def print_page(findings: Iterable[Finding]) -> int:
    """Print what is found, line by line; return 1 if a fault is among it, else 0."""
    faults = 0
    for finding in findings:
        faults += finding.stops
        print(hide_secrets(f"{finding.name:<12} {finding.text}"), flush=True)
        if finding.way_out:
            kind = "FAULT" if finding.stops else "hint"
            print(hide_secrets(f"{'':<12} {kind}: {finding.way_out}"), flush=True)
    if faults:
        print(f"\nA grid cannot run here: {faults} of the lines above say FAULT, and what to do.")
        return 1
    print("\nA grid can run here: python tuning/run_grid.py")
    return 0


def examine(output: Path, tracking_uri: str | None, *, anew: bool) -> Iterator[Finding]:
    """Yield what is found, line by line; the machine is measured while nothing else runs.

    Args:
        output: Folder for results.
        tracking_uri: URI of the MLflow store; None for the project's own.
        anew: Whether to measure a machine that is remembered already.
    """
    yield from check_versions()
    yield project_folder()
    try:
        locations = read_locations()
    except SourceError as error:
        yield Finding(
            name="cache", text="there is no folder for it", way_out=str(error), stops=True
        )
        return
    yield from check_hardware()
    try:
        locations = read_locations()
    except SourceError as error:
        yield Finding(name="cache", text=str(error), way_out=str(error), stops=True)
        return
    gpus = check_gpus()
    yield from gpus
    if not any(finding.stops for finding in gpus):
        yield tried("speed", partial(check_speed, locations.cache, anew=anew))
    with ThreadPoolExecutor(2) as aside:
        store = partial(check_chosen_store, tracking_uri)
        slow = [aside.submit(tried, "Ray", check_ray), aside.submit(tried, "store", store)]
        yield check_folder("results", output, "use --output FOLDER", needed=True)
        way_out = "set XDG_CACHE_HOME=FOLDER; nothing is remembered between launches else"
        yield check_folder("cache", locations.cache, way_out, needed=False)
        yield tried("encoder", check_encoder)
        yield tried("data", partial(check_data, locations))
        yield check_environment()
        yield from (check.result() for check in slow)


def check_chosen_store(tracking_uri: str | None) -> Finding:
    """Return whether the store that a launch would take answers; None for no option."""
    try:
        return check_store(choose_store(tracking_uri))
    except AddressError as error:
        way_out = "name another with --tracking-uri, or unset MLFLOW_TRACKING_URI"
        return Finding(name="store", text=str(error), way_out=way_out, stops=True)


def check_ray(seconds: float = _TRY_SECONDS) -> Finding:
    """Return whether Ray starts on this machine and runs a task, tried in a separate process.

    Args:
        seconds: Longest wait for it.
    """
    started = time.monotonic()
    way_out = "ray stop --force ends what is left of another session; its logs are in /tmp/ray"
    with subprocess.Popen(
        [sys.executable, "-c", _TRY],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            output, errors = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            text = f"has not started within {seconds:g} seconds"
            return Finding(name="Ray", text=text, way_out=way_out, stops=True)
    if process.returncode:
        lines = [line for line in errors.splitlines() if "Error: " in line]
        reason = lines[-1].strip() if lines else f"exit code {process.returncode}"
        return Finding(name="Ray", text=f"does not start: {reason}", way_out=way_out, stops=True)
    taken = time.monotonic() - started
    return Finding(name="Ray", text=f"starts and runs a task in {taken:.0f} s: {output.strip()}")


def check_speed(cache: Path, *, anew: bool) -> Finding:
    """Return what was measured on this machine's cores, measuring it if nothing is remembered."""
    if anew:
        forget_rates(cache)
    try:
        found = describe_rates(load_or_measure(cache))
    except RuntimeError as error:
        reason = str(error).strip().split("\n")[0]
        way_out = "trials compute in float32; precision: bfloat16 in the YAML file would not"
        return Finding(name="speed", text=f"cannot be measured: {reason}", way_out=way_out)
    kept = f"; remembered in {cache / RATES_FILE}" if recall_rates(cache) is not None else ""
    return Finding(name="speed", text=f"{found}{kept}")


def tried(name: str, check: Callable[[], Finding]) -> Finding:
    """Return what a check found; any error of it is a finding too, so that the page is whole."""
    try:
        return check()
    except Exception as error:
        text = f"cannot be looked at: {type(error).__name__}: {first_line(error)}"
        return Finding(name=name, text=text, way_out=_BROKEN, stops=True)


def check_encoder() -> Finding:
    """Return which encoder ``auto`` takes here, and why; nothing is downloaded."""
    name = "encoder"
    if find_cached_encoder(DEFAULT_ENCODER) is not None:
        return Finding(name=name, text=f"auto is {DEFAULT_ENCODER}, from the hub's cache")
    first = f"auto asks the hub for {DEFAULT_ENCODER}, which the cache lacks; without it auto is"
    try:
        find_packaged_encoder()
    except PackageError as error:
        folder = find_encoder("embedded").folder
        return Finding(name=name, text=f"{first} embedded ({folder})", way_out=f"minilm: {error}")
    model = packaged_encoder.MODEL
    return Finding(name=name, text=f"{first} minilm ({model}), whose files are as published")


def check_data(locations: DataLocations) -> Finding:
    """Return which data set ``auto`` takes here, and why; nothing is downloaded."""
    name = "data"
    if locations.parade_folder is not None:
        try:
            found = find_data("auto", locations)
            read_pairs(found.folder, Cleaning())
        except (SourceError, DataError) as error:
            way_out = "set PARADE_DIR to the folder of PARADE's files, or unset it"
            return Finding(name=name, text=str(error), way_out=way_out, stops=True)
        return Finding(name=name, text=f"auto is {found.name}, from PARADE_DIR ({found.folder})")
    folder = locations.cache / "parade" / parade.COMMIT
    if _is_whole(folder):
        return Finding(name=name, text=f"auto is parade, from the cache ({folder})")
    return Finding(
        name=name,
        text="auto downloads parade, which the cache lacks; without a network auto is embedded",
        way_out="with PARADE's three files in a folder: set PARADE_DIR, or use --data FOLDER",
    )


def _is_whole(folder: Path) -> bool:
    try:
        return parade.find_altered(folder) is None
    except OSError:
        return False


if __name__ == "__main__":
    sys.exit(run_command(main))
