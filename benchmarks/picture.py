"""The README's picture: the table that a grid printed, drawn anew from its record."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from benchmarks.markdown_text import Record
from measures.objective import FLAGS, VALIDATION_F1
from tuning.config.experiment import TrialConfig
from tuning.execution.grid import result_table
from tuning.system.console import save_picture


def draw(record: Record) -> str:
    """Return the table of a grid's record as SVG, as the launch showed it."""
    numbers = record["numbers"]
    ranked = sorted(numbers["trials"], key=lambda row: (row["flags"] != "", -row[VALIDATION_F1]))
    stands_in = " (stands in)" if numbers["notices"] != "none" else ""
    title = (
        f"grid: data {numbers['data']}{stands_in}, encoder {numbers['encoder']}{stands_in}; test "
        "scores at 0.5 and at (*) the threshold chosen on validation"
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.svg"
        table = result_table(title, [(_config(row), _metrics(row), None) for row in ranked])
        save_picture([table], path, "python tuning/run_grid.py")
        return path.read_text(encoding="utf-8")


def _config(row: dict[str, Any]) -> TrialConfig:
    """Return the values in which the trials of a grid differ, else the defaults."""
    fields = {name: row[name] for name in ("freezing", "optimizer")}
    fields["learning_rate"] = float(row["learning_rate"])
    return TrialConfig.model_validate(fields)


def _metrics(row: dict[str, Any]) -> dict[str, float]:
    """Return the metrics of a trial's row, with its flags as numbers."""
    flags = row["flags"].split(", ")
    return {
        **{name: value for name, value in row.items() if isinstance(value, float)},
        **{flag: float(words in flags) for flag, words in FLAGS.items()},
    }
