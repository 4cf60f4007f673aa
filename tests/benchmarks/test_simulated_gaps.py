"""Guards the simulation of gaps: its truths, and that it sees a part that is wrong."""

import pandas as pd
import pytest

from analysis import gap_tables
from benchmarks import simulated_gaps
from benchmarks.simulated_gaps import PARTS, simulate, true_parts


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulated_gaps, "_WORLDS", 60)
    monkeypatch.setattr(gap_tables, "RESAMPLES", 100)
    true_parts.cache_clear()


def test_a_threshold_adds_to_the_f1_of_its_pairs_and_nothing_else_differs() -> None:
    truth = true_parts("maximum")
    assert 0.002 < truth["f1", "threshold"] < 0.03
    for metric in PARTS:
        for part in ("harder", "left"):
            assert truth[metric, part] == pytest.approx(0, abs=0.02)


def test_a_part_that_is_too_large_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def covered() -> float:
        rows = simulate("steady", 3, 8)
        assert [(row["metric"], row["part"]) for row in rows] == [
            (metric, part) for metric, parts in PARTS.items() for part in parts
        ]
        return next(row["covered"] for row in rows[2:] if row["part"] == "left")

    assert covered() >= 0.5
    whole = gap_tables.gaps

    def moved(*args: object) -> pd.DataFrame:
        found = whole(*args)  # pyright: ignore[reportArgumentType] - passed on
        return found.assign(**{name: found[name] + 0.2 for name in ("left_low", "left_high")})

    monkeypatch.setattr(gap_tables, "gaps", moved)
    assert covered() == 0
