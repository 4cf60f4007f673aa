"""Guards the tables that a search prints: what is not told is a dash, failed seeds are named."""

import pandas as pd

from measures.objective import Objective
from tuning.search.session import ablation_table


def test_an_ablation_shows_its_interval_its_p_and_its_failed_seeds() -> None:
    row = {"lever": "R-Drop", "on": 0.5, "with": 0.82, "with_std": 0.01, "without": 0.81,
           "without_std": 0.02, "gain": 0.01, "low": 0.004, "high": 0.016, "p_holm": 0.031,
           "seeds": 5, "failed": 0, "verdict": "helps", "used": True}  # fmt: skip
    missing = dict.fromkeys(["with_std", "low", "high", "p_holm"], float("nan"))
    few = {**row, **missing, "seeds": 1, "failed": 4, "verdict": "cannot be told", "used": False}
    table = ablation_table(pd.DataFrame([row, few]), Objective(name="auc", floor=0.5))
    assert str(table.title).startswith("Ablations: validation AUC over 5 fresh seeds; ")
    cells = list(zip(*(column.cells for column in table.columns), strict=True))
    assert cells[0][2:] == (
        ".820 ± .010", ".810 ± .020", "+1.0 [+0.4, +1.6]", ".031", "helps", "on",
    )  # fmt: skip
    assert cells[1][2:] == (
        ".820 ± -", ".810 ± .020", "+1.0 [-, -]", "-", "cannot be told (4 failed)", "off",
    )  # fmt: skip
