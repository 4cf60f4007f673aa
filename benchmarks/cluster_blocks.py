"""What one driver's measured costs mean for 10, 100 and 1,000 GPUs, for cluster_plan.md."""

from __future__ import annotations

from benchmarks.markdown_text import Record, table

_GPUS, _A_GPU = (10, 100, 1000), 4  # trials on a GPU at a time, assumed
_EPOCHS = 10
_HEAD_SECONDS, _LAYERS_SECONDS = 10, 120  # of a trial on a quarter of a GPU, assumed
_SAVED_MB = 115  # by a trial with two of six DistilBERT layers trained


def cluster_load(driver: Record, floor: Record) -> str:
    """Return how many trials a second one driver takes, and its load by the number of GPUs.

    Args:
        driver: Record of ``driver_limit.py``.
        floor: Record of ``floor.py``, for the seconds of an epoch of the head on a core.
    """
    numbers = driver["numbers"]
    trial, epoch = (numbers[f"milliseconds_{what}"] / 1000 for what in ("a_trial", "an_epoch"))
    taken = trial + _EPOCHS * epoch  # seconds of the driver for a trial
    cases = floor["numbers"]["cases"]
    head = next(case["seconds"] for case in cases if case["name"] == "epoch of the head")
    before = (
        f"One driver with a core of its own takes 1 / ({trial:.3f} + {_EPOCHS} x {epoch:.3f}) = "
        f"**{1 / taken:.0f} trials of ten epochs per second**. A trial of ten epochs takes "
        f"{_EPOCHS * head:.0f} seconds of one of these cores for a head on PARADE's cached states;"
        f"\non a GPU it is *assumed* to take {_HEAD_SECONDS} seconds on a quarter of a GPU, and "
        f"{_LAYERS_SECONDS} with two of six DistilBERT layers trained."
    )
    rows = []
    for gpus in _GPUS:
        at_once = gpus * _A_GPU
        light, heavy = at_once / _HEAD_SECONDS, at_once / _LAYERS_SECONDS
        rows.append(
            [f"{gpus:,}", f"{at_once:,}", f"{light:.0f}", _load(light * taken), f"{heavy:.2g}",
             _load(heavy * taken), f"{heavy * _SAVED_MB:,.0f} MB/s"]
        )  # fmt: skip
    header = ("GPUs", "trials at a time, four a GPU", "head alone: trials per second",
              "load of the driver", "two layers trained: trials per second",
              "load of the driver", "files through the driver")  # fmt: skip
    return f"{before}\n\n{table(header, rows)}\n\n{_lag(numbers['runs'])}"


def _load(share: float) -> str:
    return f"{share:.0%}".replace("%", " %") if share < 1 else f"**{share:.2g} times too slow**"


def _lag(runs: list[dict[str, float]]) -> str:
    """Return what the log gets, and how long it falls behind the trials."""
    few, many = runs
    trials = few["trials"]
    epoch = (many["entries"] - few["entries"]) / trials / (many["epochs"] - few["epochs"])
    told = ", ".join(
        f"{run['until_stored'] - run['seconds']:.0f} seconds after trials of {run['epochs']:.0f} "
        f"{'epoch' if run['epochs'] == 1 else 'epochs'}, which took {run['seconds']:.0f}"
        for run in runs
    )
    return (
        f"MLflow gets about {few['entries'] / trials - epoch * few['epochs']:.0f} entries per "
        f"trial and {epoch:.0f} per epoch. Nothing waits for it; it falls behind, and catches up "
        f"when trials end:\nthe log of {trials:,.0f} trials was complete {told}."
    )
