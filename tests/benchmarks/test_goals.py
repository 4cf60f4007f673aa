"""Guards the goals: read from the records, judged on the right side of the bound."""

from pathlib import Path
from typing import Any

from benchmarks.goal_reasons import REASONS
from benchmarks.goals import GOALS, RECORDS, read_all, reasons
from benchmarks.goals import rows as judged
from benchmarks.records import describe_machine, read_record, save_record

MEASURED: dict[str, dict[str, Any]] = {
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
    "whole_grid": {"log": {"share": 0.04, "inside": 4.0, "seconds": 100.0}},
}


def rows(folder: Path) -> list[tuple[str, ...]]:
    """Return the goals by the records of a folder."""
    return judged(read_all(folder))


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
    by_name = {name: (value, date) for name, _, value, date, *_ in rows(tmp_path)}
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


def test_every_goal_has_a_measurement_that_explains_it() -> None:
    assert [*REASONS] == [goal.name for goal in GOALS]


def test_a_missed_goal_names_where_the_rest_goes_or_what_to_run(tmp_path: Path) -> None:
    for name, numbers in MEASURED.items():
        save_record(name, numbers, tmp_path)
    told = dict(reasons(read_all(tmp_path)))
    assert [*told] == [name for name, *_, verdict in rows(tmp_path) if verdict == "missed"]
    assert told["--help"] == "0.26 to 0.26 s by the clock, of the processors 0.10 s"
    assert told["driver's memory above the states"] == (
        "500 MB with one copy of the pairs, 6.7 MB for each further"
    )
    trainer = "six cells, four of six layers frozen, against the same"
    head = "epoch of the head on cached states, share of the same"
    unknown = "what explains it is not measured; benchmarks/{}.py does that"
    assert told[trainer] == unknown.format("against_trainer")
    assert told[head] == unknown.format("where_time_goes")
    seconds = {"ours": [300.0], "theirs": [1000.0], "first_step": [50.0], "training": [400.0]}
    save_record("against_trainer", {"cases": [{"frozen": 4, "ratio": 3.3, **seconds}]}, tmp_path)
    shares = {"matrix products": 0.6, "other operations": 0.4, "seconds": 5.0}
    operations = {"all layers frozen": shares}
    save_record("where_time_goes", {"driver": {}, "operations": operations}, tmp_path)
    case = {"name": "epoch of the head", "reached": 0.5, "floor": 2.0, "seconds": 4.0}
    save_record("floor", {"cases": [{**case, "padding": 0.03}]}, tmp_path)
    told = dict(reasons(read_all(tmp_path)))
    cores = int(describe_machine()["cores"])
    assert told[trainer].startswith("1000 s against 300 s, of which 50 s are start and frozen")
    assert f"{400 / cores:.0f} s the epochs on {cores} cores" in told[trainer]
    assert told[head] == (
        "2.00 of 4.00 s; 3% of the positions are padding; of the time in a profile: matrix "
        "products 60%, other operations 40%"
    )


def test_one_more_trial_is_explained_by_what_a_trial_of_a_whole_grid_has_beside_its_epochs(
    tmp_path: Path,
) -> None:
    trial = {"further": 12.0, "pure": 10.0, "ratio": 1.2}
    save_record("scaling", {"one_more_trial": trial}, tmp_path)
    cores = int(describe_machine()["cores"])
    saving = {"kind": "overhead", "part": "saving and reporting each epoch", "seconds": 6 / cores}
    save_record("whole_grid", {"trials": 12, "rows": [saving]}, tmp_path)
    told = dict(reasons(read_all(tmp_path)))["one more head-only trial, against its own training"]
    assert told.startswith("2.0 s beside 10.0 s of epochs")
    assert told.endswith("saving and reporting each epoch 0.5")


def test_what_was_measured_before_stands_beside() -> None:
    before = {name: value for name, value, *_ in judged(dict.fromkeys(RECORDS))}
    assert before["--help"] == "0.286 s"
    assert before["states copied into each worker"] == "6%"
    assert before["states of the larger data"] == "-"
