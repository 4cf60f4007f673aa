"""Guards the table of a grid's results: scores in their columns, flags, dashes, names."""

import io

from rich.console import Console

from tests.tuning.execution.experiment import prepared
from tuning.config.experiment import TrialConfig
from tuning.execution.grid import print_failed, print_whole, result_table, table_title, trial_names
from tuning.execution.outcomes import Outcome
from tuning.system.storage_path import StoragePath


def text_of(*things: object) -> str:
    console = Console(file=io.StringIO(), width=140)
    console.print(*things)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_title_of_the_table_says_what_stands_in() -> None:
    title = table_title(prepared(data="auto"))
    assert "data embedded (stands in), encoder embedded;" in title


def test_every_score_is_in_its_column() -> None:
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


def test_a_narrow_terminal_shows_every_flag_and_no_number_cut() -> None:
    names = ["val_f1_at_threshold", "test_auc", "test_accuracy", "test_f1"]
    metrics = dict.fromkeys((*names, "test_accuracy_at_threshold"), 1.0)
    metrics |= {"test_f1_at_threshold": 0.25, "collapsed": 1.0, "no_positive": 1.0}
    grid = [("all", "adamw", 0.001), ("some", "sgd", 0.1)]
    configs = [
        TrialConfig.model_validate({"freezing": f, "optimizer": o, "learning_rate": rate})
        for f, o, rate in grid
    ]
    console = Console(file=io.StringIO(), width=80)
    console.print(result_table("t", [(each, metrics, None) for each in configs], narrow=True))
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert "…" not in text
    line = next(line for line in text.split("\n") if "adamw" in line)
    assert line.split()[:9] == ["all", "adamw", "0.001", *["1.00"] * 5, ".250"]
    assert " ".join(text.split()).count("no positive") == 2


def test_a_missing_score_is_a_dash() -> None:
    rows = [(TrialConfig.model_validate({}), {}, "killed")]
    assert text_of(result_table("title", rows)).split()[-11:] == ["-"] * 10 + ["failed"]


def test_a_trials_name_is_its_number_and_what_varies() -> None:
    trials = [TrialConfig.model_validate({"seed": seed}) for seed in (3, 4)]
    assert trial_names(trials, ["seed"]) == ["01-3", "02-4"]


def test_a_trials_name_leaves_out_what_follows_from_other_fields() -> None:
    values = ({"encoding": "pair"}, {"encoding": "separate"})
    trials = [
        TrialConfig.model_validate(each).fit_to_data(pairs=9, votes=False) for each in values
    ]
    assert trials[0].cosine_feature != trials[1].cosine_feature
    assert trial_names(trials, ["encoding"]) == ["01-pair", "02-separate"]


def test_failed_trials_are_printed_with_cause_and_log() -> None:
    console = Console(file=io.StringIO(), width=140)
    config = TrialConfig.model_validate({})
    good = Outcome(name="01", config=config, metrics={"val_f1": 0.5}, key="grid/01")
    failed = Outcome(name="02", config=config, cause="out of memory", key="grid/02")
    assert print_failed([good], StoragePath("/results"), console) == 0
    assert print_failed([good, failed], StoragePath("/results"), console) == 1
    assert isinstance(console.file, io.StringIO)
    assert console.file.getvalue().split("\n")[:2] == [
        "02: out of memory",
        "failed: 1 of 2 trials: 02 (/results/02/error.txt)",
    ]


def test_a_table_with_many_columns_is_wider_than_the_terminal_and_nothing_is_cut() -> None:
    changes = [
        {"freezing": "all", "optimizer": "adamw", "learning_rate": 3.1622776e-05, "seed": 1},
        {"freezing": "some", "optimizer": "sgd", "overlap_features": True, "targets": "votes"},
        {"head": "attention_pooling", "encoder_learning_rate": 1e-05},
    ]
    metrics = {"val_f1_at_threshold": 0.7, "test_auc": 0.7, "collapsed": 1.0, "no_positive": 1.0}
    rows = [(TrialConfig.model_validate(change), metrics, None) for change in changes]
    console = Console(file=io.StringIO(), width=80)
    print_whole(result_table("t", rows, narrow=True), console)
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert "…" not in text
    for word in ("3.1622776e-05", "attention_pooling", "encoder", "collapsed", "positive"):
        assert word in text
