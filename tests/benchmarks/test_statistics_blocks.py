"""Guards the tables of simulated intervals: shares, and which lie outside what is promised."""

from benchmarks.statistics_blocks import gap_statistics, statistics

MACHINE = dict.fromkeys(["date", "cores", "processor", "torch", "ray", "transformers"], "1")


def row(what: str, seeds: int, **shares: float) -> dict[str, object]:
    return {"what": what, "metric": "f1", "split": "test", "threshold": "0.5", "seeds": seeds,
            **shares}  # fmt: skip


def test_shares_outside_what_is_promised_are_bold_and_counted_with_several_seeds() -> None:
    rows = [
        row("mean", 5, covered=0.95), row("mean", 3, covered=0.92), row("mean", 1, covered=0.8),
        row("trainings", 3, covered=0.94, rejected=0.06),
    ]  # fmt: skip
    numbers = {"deviations": {"threshold": 0.007, "0.5": 0.037}, "rows": rows}
    text = statistics({"numbers": numbers, "machine": MACHINE, "command": "x"})
    assert "| F1, score | 0.5 | .950 | **.920** | **.800** |" in text
    assert "With 3 or 5 seeds 1 of 2 lie between .93 and .97" in text
    assert "| F1 | 0.5 | - | .060 | - |" in text
    assert "With 3 or 5 seeds 1 of 1 lie between .04 and .06" in text
    assert ".007 (from validation), .037 (0.5)" in text


def test_coverage_of_a_gaps_parts_stands_beside_their_true_size() -> None:
    part = {"metric": "f1", "part": "threshold", "rule": "steady", "truth": 0.004}
    rows = [{**part, "seeds": seeds, "covered": share}
            for seeds, share in ((5, 0.95), (3, 0.92), (1, 0.77))]  # fmt: skip
    text = gap_statistics({"numbers": {"rows": rows}, "machine": MACHINE, "command": "x"})
    assert "| F1, threshold | steady | +0.4 | .950 | **.920** | **.770** |" in text
    assert "With 3 or 5 seeds 1 of 2 lie between .93 and .97" in text
