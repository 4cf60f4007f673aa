"""Guards start-up: what is read of a launch and of a command from outside, and its table."""

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.start_blocks import readme_times
from benchmarks.start_blocks import start_up as block
from benchmarks.start_up import Observed, median_wall, observe, run_command, start_up

MACHINE = dict.fromkeys(("date", "cores", "processor", "torch", "ray", "transformers"), "x")
READINGS = [(101.0, 0.5, 0.0), (104.0, 2.0, 1.5), (108.0, 3.0, 4.0)]


@pytest.mark.parametrize(("worker", "training"), [(103.0, 102.5), (101.0, 103.0)])
def test_start_up_ends_with_the_first_step_and_no_worker_is_ordered_before_it_exists(
    worker: float, training: float
) -> None:
    observed = Observed(began=100.0, worker=worker, training=training, readings=READINGS)
    taken = start_up(observed, 107.5)
    assert taken["first_step"] == {"wall": 7.5, "cpu": 2.0}
    assert taken["worker"] == {"wall": 4.5, "cpu": 1.5}


@pytest.mark.parametrize(("worker", "first_step"), [(None, 107.5), (103.0, 100.5)])
def test_a_launch_of_which_nothing_was_seen_is_no_measurement(
    worker: float | None, first_step: float
) -> None:
    observed = Observed(began=100.0, worker=worker, training=102.0, readings=READINGS)
    with pytest.raises(ValueError, match=f"no trial's process was seen .* at {first_step}"):
        start_up(observed, first_step)


def test_a_command_without_workers_has_none(tmp_path: Path) -> None:
    observed = observe([sys.executable, "-c", "pass"], tmp_path)
    assert observed.worker is None
    assert observed.readings


def test_a_command_that_computes_takes_processors_and_one_that_fails_is_told() -> None:
    taken = run_command([sys.executable, "-c", "sum(range(3_000_000))"])
    assert taken["cpu"] > 0
    assert taken["wall"] > 0
    with pytest.raises(subprocess.CalledProcessError, match="exit status 3"):
        run_command([sys.executable, "-c", "raise SystemExit(3)"])


def test_the_median_is_of_the_clock() -> None:
    assert median_wall([{"wall": wall, "cpu": 0.0} for wall in (9.0, 1.0, 2.0)]) == 2.0


def test_the_block_has_median_range_and_processors() -> None:
    rounds = [{"wall": wall, "cpu": 2 * wall} for wall in (3.0, 1.0, 2.5)]
    numbers = {"rounds": 3, **dict.fromkeys(("first_step", "worker", "help", "dry_run"), rounds)}
    text = block({"machine": MACHINE, "commit": "abc", "command": "x", "numbers": numbers})
    assert text.startswith("| 3 turns |")
    assert "| `--dry-run` | 2.50 | 1.00 to 3.00 | 5.00 |" in text


def test_the_readme_has_the_minutes_of_its_commands() -> None:
    freezing = {"seconds": 3094.0, "numbers": {"seconds": 1.0}, "machine": MACHINE}
    stages = {"search": {"until": 1449.0}, "confirm": {"until": 1958.0},
              "ablation": {"until": 4293.0}}  # fmt: skip
    search = {"numbers": {"seconds": 4353.0, "stages": stages}, "machine": MACHINE}
    text = readme_times(freezing, search)
    assert "`make freezing` 52 minutes, `make search` 33 until the champion is known" in text
    assert "and 73 with the ablations" in text
