"""Guards the parts of a whole grid: each from its own clock, together the wall time."""

import pytest

from benchmarks.grid_timeline import Timeline, TrialTimes
from benchmarks.least_work import Work
from benchmarks.start_up import Observed
from benchmarks.whole_grid import driver_seconds, rows_of

KIND = ("all", "sgd")
TRIALS = [
    TrialTimes(kind=KIND, begin=30, last_epoch=51, end=55, epochs=[10, 10]),
    TrialTimes(kind=KIND, begin=33, last_epoch=54, end=57, epochs=[10, 10]),
    TrialTimes(kind=KIND, begin=56, last_epoch=77, end=81, epochs=[10, 10]),
]
TIMELINE = Timeline(opened=8, inputs=10, states=20, closed=86, trials=TRIALS)
SEEN = {"began": 0.0, "plan": 2.0, "ended": 90.0, "driver": 4.0, "cores": 2}
PASSES = [Work(floor=4, padding=1, seconds=7)]
EPOCH, VALIDATION, TEST = (
    Work(floor=5, padding=0.5, seconds=8),
    Work(floor=0.5, padding=0.25, seconds=1),
    Work(floor=1, padding=0.5, seconds=2),
)


def test_the_parts_add_up_to_the_wall_time() -> None:
    rows = rows_of(SEEN, TIMELINE, PASSES, {KIND: [EPOCH, VALIDATION, TEST]})
    assert sum(row["seconds"] for row in rows) == pytest.approx(90)
    found = {row["part"]: row["seconds"] for row in rows}
    assert found == pytest.approx(
        {
            "the frozen layers' pass": 4,
            "training": 6 * 5 / 2,
            "scoring validation, and test at the end": (6 * 0.5 + 3 * 1.5) / 2,
            "in the pass": 1,
            "in training and scoring": (6 * 0.75 + 3 * 0.75) / 2,
            "plan: Python, data, word pieces": 2,
            "start of Ray, imports of torch and MLflow, opening the log": 6,
            "waiting for MLflow's first answer, copying encoder and pairs": 2,
            "the pass, beyond its operations": 2,
            "loading the frozen layers, writing the states": 10 - 7,
            "sharing the states, start of the first worker": 10,
            "training, beyond its operations": 6 * 2.5 / 2,
            "scoring validation after epochs, beyond its operations": 6 * 0.25 / 2,
            "saving and reporting each epoch": 3 / 2,
            "ends of trials: final scoring, attention maps, saving": (4 + 3 + 4 - 3 * 2.25) / 2,
            "waiting for the next trial: the second worker, Ray, loading": (3 + 1) / 2,
            "the driver while trials run: log, MLflow, Ray": 2,
            "idle cores at the end": (81 - 57) / 2,
            "words of errors, after the last trial": 5,
            "last delivery to MLflow, table, end of Ray": 4,
            # 6 epochs of 10 s took 1 s longer than alone each; the driver had 4 s of both cores
            "trials side by side, against alone": (6 * 1 - 4) / 2,
        }
    )
    assert [row["kind"] for row in rows][-1] == "not explained"


def test_the_drivers_seconds_are_those_between_first_step_and_last_end() -> None:
    readings = [(29.0, 5.0, 0.0), (50.0, 6.0, 9.0), (80.5, 7.5, 20.0), (82.0, 9.0, 20.0)]
    assert driver_seconds(Observed(began=0.0, readings=readings), TIMELINE) == 2.5
