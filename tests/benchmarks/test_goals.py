"""Guards the goals: read from the records, judged on the right side of the bound."""

from pathlib import Path

from benchmarks.goals import GOALS
from benchmarks.goals import read_rows as rows
from benchmarks.records import describe_machine, read_record, save_record

MEASURED = {
    "against_trainer": {"cases": [{"frozen": 6, "ratio": 40.0}, {"frozen": 4, "ratio": 3.9}]},
    "floor": {
        "cases": [
            {"name": "frozen pass, cached", "reached": 0.66},
            {"name": "epoch of the head", "reached": 0.54},
        ]
    },
    "start_up": {
        "first_step": [{"wall": wall, "cpu": 9.0} for wall in (5.0, 9.0, 5.5)],
        "worker": [{"wall": 2.6, "cpu": 1.0}],
        "help": [{"wall": 0.26, "cpu": 0.1}],
        "dry_run": [{"wall": 0.6, "cpu": 0.9}],
    },
    "larger_data": {
        "launch": {"states_gb": 8.1, "driver_mb": 3000.0, "worker_mb": 600.0},
        "heads": {
            "cross_attention": [
                {"memory": memory, "disk_ahead": 10.0} for memory in (14.0, 20.0, 12.0)
            ]
        },
    },
    "scaling": {
        "one_more_trial": {"ratio": 1.07},
        "pairs": [
            {"times": 1, "driver_mb": 500.0, "worker_mb": 400.0, "states_mb": 300.0},
            {"times": 16, "driver_mb": 600.0, "worker_mb": 430.0, "states_mb": 900.0},
            {"times": 64, "driver_mb": 900.0, "worker_mb": 450.0, "states_mb": 1300.0},
            {"times": 1, "driver_mb": 500.0, "worker_mb": 420.0, "states_mb": 300.0},
        ],
    },
    "whole_grid": {"log": {"share": 0.04}},
}


def test_a_goal_that_was_never_measured_says_so(tmp_path: Path) -> None:
    assert {row[-1] for row in rows(tmp_path)} == {"not measured"}
    assert len(rows(tmp_path)) == len(GOALS)


def test_goals_are_judged_by_their_bound(tmp_path: Path) -> None:
    for name, numbers in MEASURED.items():
        save_record(name, numbers, tmp_path)
    verdicts = [row[-1] for row in rows(tmp_path)]
    assert verdicts == [
        "reached", "missed",  # against Trainer
        "reached", "missed", "not measured",  # frozen pass, epochs
        "reached", "missed", "missed", "reached",  # start-up, worker, --help, --dry-run
        "reached", "missed", "reached",  # one more trial, driver, workers
        "missed",  # MLflow
        "reached", "missed", "reached",  # larger data: states, memory, an epoch on the disk
    ]  # fmt: skip
    by_name = {name: (value, date) for name, value, date, *_ in rows(tmp_path)}
    today = describe_machine()["date"]
    assert by_name["driver's memory above the states"] == ("600 MB", today)
    assert by_name["states copied into each worker"] == ("5%", today)
    assert by_name["epoch of two trained layers, share of the same"] == ("-", "-")


def test_a_record_of_half_a_benchmark_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    save_record("against_trainer", {"cases": MEASURED["against_trainer"]["cases"][:1]}, tmp_path)
    assert [row[-1] for row in rows(tmp_path)[:2]] == ["reached", "not measured"]


def test_a_record_names_its_machine(tmp_path: Path) -> None:
    save_record("floor", {}, tmp_path)
    record = read_record("floor", tmp_path)
    assert record is not None
    assert {"processor", "cores", "torch", "date"} <= set(record["machine"])
