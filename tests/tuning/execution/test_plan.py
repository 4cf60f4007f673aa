"""Guards what a user reads: notices first, every score in its column, flags and dashes."""

import io
from pathlib import Path

from rich.console import Console

from tuning.config.experiment import Experiment, TrialConfig
from tuning.data.prepared import Prepared, prepare
from tuning.data.sources import DataLocations
from tuning.execution.grid import result_table, table_title
from tuning.execution.plan import estimate_seconds, print_plan


def prepared(folder: Path, *, data: str = "embedded", epochs: int = 2) -> Prepared:
    experiment = Experiment.model_validate(
        {
            "name": "check",
            "data": data,
            "encoder": "embedded",
            "trial": {"epochs": epochs},
            "grid": {"learning_rate": [0.001, 0.1]},
        }
    )
    return prepare(experiment, DataLocations(cache=folder, parade_url="http://127.0.0.1:1"))


def text_of(*things: object) -> str:
    console = Console(file=io.StringIO(), width=140)
    console.print(*things)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_plan_opens_with_what_stands_in_and_why(tmp_path: Path) -> None:
    console = Console(file=io.StringIO(), width=140)
    print_plan(prepared(tmp_path, data="auto"), console)
    assert isinstance(console.file, io.StringIO)
    first_line = console.file.getvalue().split("\n")[0]
    assert first_line.startswith(
        "Notice: PARADE is unavailable (http://127.0.0.1:1/PARADE_train.txt"
    )
    assert first_line.endswith("the embedded pairs stand in for it")


def test_the_title_of_the_table_says_what_stands_in(tmp_path: Path) -> None:
    title = table_title(prepared(tmp_path, data="auto"))
    assert "data embedded (stands in), encoder embedded;" in title


def test_more_epochs_cost_more(tmp_path: Path) -> None:
    short, long = prepared(tmp_path, epochs=1), prepared(tmp_path, epochs=9)
    assert estimate_seconds(long) > estimate_seconds(short)


def test_every_score_stands_under_its_name() -> None:
    names = [
        f"test_{m}{s}"
        for s in ("", "_at_threshold")
        for m in ("accuracy", "f1", "precision", "recall")
    ]
    metrics = {
        name: n / 100 for n, name in enumerate(["val_f1_at_threshold", "test_auc", *names], 11)
    }
    rows = [
        (TrialConfig.model_validate({}), metrics, None),
        (TrialConfig.model_validate({"seed": 1}), metrics | {"collapsed": 1.0}, None),
    ]
    line, flagged = text_of(result_table("title", rows)).strip().split("\n")[-2:]
    assert line.split() == ["0", *(f".{n}0" for n in range(11, 21))]
    assert flagged.split()[-1] == "collapsed"


def test_a_missing_score_is_a_dash() -> None:
    rows = [(TrialConfig.model_validate({}), {}, "killed")]
    assert text_of(result_table("title", rows)).split()[-11:] == ["-"] * 10 + ["failed"]
