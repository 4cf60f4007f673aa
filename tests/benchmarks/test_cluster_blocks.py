"""Guards the load of one driver by the number of GPUs: worked by hand, lag of the log told."""

from typing import Any

from benchmarks.cluster_blocks import cluster_load

FLOOR: dict[str, Any] = {"numbers": {"cases": [{"name": "epoch of the head", "seconds": 6.0}]}}
DRIVER: dict[str, Any] = {
    "numbers": {
        "milliseconds_a_trial": 50.0,
        "milliseconds_an_epoch": 5.0,
        "runs": [
            {"trials": 10, "epochs": 1, "seconds": 80.0, "until_stored": 126.0, "entries": 60},
            {"trials": 10, "epochs": 10, "seconds": 120.0, "until_stored": 170.0, "entries": 150},
        ],
    }
}


def test_the_load_of_a_driver_is_that_worked_by_hand() -> None:
    told = cluster_load(DRIVER, FLOOR)
    assert "= **10 trials of ten epochs per second**" in told
    assert "takes 60 seconds of one of these cores" in told
    assert "| 10 | 40 | 4 | 40 % | 0.33 | 3 % | 38 MB/s |" in told
    assert "| 100 | 400 | 40 | **4 times too slow** | 3.3 | 33 % | 383 MB/s |" in told


def test_what_the_log_gets_and_how_late_is_told() -> None:
    told = cluster_load(DRIVER, FLOOR)
    assert "5 entries per trial and 1 per epoch" in told
    assert (
        "46 seconds after trials of 1 epoch, which took 80, 50 seconds after trials of 10" in told
    )
