"""Guards the tables of growth and of a whole grid: medians of turns, exponents, sums."""

from typing import Any

from benchmarks.growth_blocks import growth, scaling_depth, scaling_trials, whole_grid

MACHINE = dict.fromkeys(("date", "cores", "processor", "torch", "ray", "transformers"), "x")


def record(**numbers: object) -> dict[str, Any]:
    """Return a record with these numbers."""
    return {"machine": MACHINE, "commit": "abc", "command": "x", "numbers": numbers}


def costs(seconds: float) -> dict[str, float]:
    """Return the costs of a launch that took so long."""
    fixed = {"first_step": 10.0, "driver_mb": 380.0, "worker_mb": 420.0, "disk_mb": 26.0}
    return {"seconds": seconds, "training": seconds - 10, **fixed}


TRIALS = [{"trials": n, **costs(16 + n + noise)} for n, noise in
          ((1, 0.1), (4, 0), (16, 0.3), (64, 0), (1, -0.1))]  # fmt: skip


def test_a_size_that_was_run_again_has_one_row_of_medians() -> None:
    text = scaling_trials(record(trials=TRIALS))
    assert "| 1 | 17 | 10 | 7 | 380 | 420 |" in text
    assert text.count("\n| ") == 5  # the header's line, and four sizes
    assert scaling_depth(record(trials=TRIALS)) == "*Not measured yet.*"


def test_growth_has_the_exponents_of_what_was_measured() -> None:
    depth = [{"trained_layers": n, **costs(12 + n**2)} for n in range(5)]
    lines = growth(record(trials=TRIALS, depth=depth)).splitlines()
    cells = [line.strip("| ").split(" | ") for line in lines[2:]]
    assert len(cells) == 4 + 5
    first = cells[0]
    assert first[:3] == ["trials, 1 to 64", "seconds, states cached", "17 to 80 s"]
    assert first[3] == "0.99 (0.94 to 1.04)"
    assert (first[4], cells[1][3:]) == ("yes", ["does not grow", "yes"])
    squared = next(row for row in cells if row[:2] == ["trained layers, 0 to 4",
                                                       "seconds, states cached"])  # fmt: skip
    assert squared[2:] == ["12 to 28 s", "2.00 (2.00 to 2.00)", "no"]
    assert growth(record(trials=TRIALS[:3])) == "*Not measured yet.*"


def test_the_parts_of_a_whole_grid_are_summed_by_kind() -> None:
    rows = [
        {"kind": "floor", "part": "training", "seconds": 50.0},
        {"kind": "overhead", "part": "start", "seconds": 20.0},
        {"kind": "overhead", "part": "saving", "seconds": 25.0},
        {"kind": "not explained", "part": "rest", "seconds": 5.0},
    ]
    text = whole_grid(record(rows=rows))
    assert "| **overhead** |  | **45.0** | **45.0 %** |" in text
    assert "|  | saving | 25.0 | 25.0 % |" in text
    assert "| **wall time** |  | **100.0** | **100 %** |" in text
    log = {"seconds": 200.0, "inside": 1.25, "share": 0.006, "disk_mb": 1234.0}
    assert "200 s under a profiler, 1.2 s" in whole_grid(record(rows=rows, log=log))
