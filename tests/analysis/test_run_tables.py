"""Guards the tables about trials: means over seeds, choices by validation, flags."""

import numpy as np
import pandas as pd
import pytest

from analysis import run_tables


def trials(*rows: tuple[str, str, float, float, float, float]) -> pd.DataFrame:
    """Return trials from (freezing, optimizer, rate, val F1, test F1, collapsed)."""
    names = [
        "freezing",
        "optimizer",
        "learning_rate",
        "val_f1_at_threshold",
        "test_f1_at_threshold",
    ]
    frame = pd.DataFrame(rows, columns=[*names, "collapsed"])
    zeros = ("diverged", "no_positive", "all_positive", "seed")
    names = ("test_f1", "test_accuracy", "test_accuracy_at_threshold", "test_auc")
    scores = dict.fromkeys(names, frame["test_f1_at_threshold"])
    ids = [f"r{number}" for number in range(len(frame))]
    return frame.assign(run_id=ids, name=ids, **dict.fromkeys(zeros, 0), **scores)


GRID = trials(
    ("all", "adamw", 0.001, 0.70, 0.66, 0),
    ("all", "adamw", 0.01, 0.68, 0.69, 0),
    ("all", "adamw", 0.1, 0.75, 0.64, 1),
    ("all", "sgd", 0.001, 0.60, 0.61, 0),
    ("all", "sgd", 0.01, 0.65, 0.60, 0),
)


def test_the_best_cell_is_chosen_on_validation_among_those_that_learned() -> None:
    best = run_tables.best_of_each_optimizer(run_tables.grid_scores(GRID)).set_index("optimizer")
    assert best.loc["adamw", "learning_rate"] == 0.001
    assert best.loc["adamw", "edge"] == "lowest"
    assert best.loc["sgd", "edge"] == ""


def test_an_optimizer_with_flagged_cells_alone_is_lost() -> None:
    grid = run_tables.grid_scores(GRID.assign(collapsed=(GRID["optimizer"] == "sgd").astype(int)))
    assert run_tables.lost_optimizers(grid).values.tolist() == [["all", "sgd"]]


def test_the_grid_shows_flags() -> None:
    grid = run_tables.grid_scores(GRID)
    assert grid.loc[grid["flag"] == "collapsed", "learning_rate"].tolist() == [0.1]


def test_cells_of_equal_scores_or_equal_probabilities_learned_nothing() -> None:
    frame = trials(
        ("all", "adamw", 0.001, 0.70, 0.66, 0),
        ("all", "adamw", 0.01, 0.7004, 0.6604, 0),  # differs below the third digit
        ("all", "sgd", 0.001, 0.70, 0.61, 0),
        ("all", "sgd", 0.01, 0.65, 0.5, 1),  # an AUC of .5: no pair above another
        ("some", "adamw", 0.001, 0.70, 0.66, 0),  # as a cell of another mode
    )
    marked = run_tables.mark_idle(frame)
    assert marked[run_tables.IDLE].tolist() == [1, 1, 0, 1, 0]
    words = run_tables.grid_scores(marked)["flag"].tolist()
    assert words == ["learned nothing"] * 2 + ["", "learned nothing", ""]
    assert run_tables.is_sound(marked).tolist() == [False, False, True, False, True]
    seeds = pd.concat([frame.iloc[[0]], frame.iloc[[0]].assign(seed=1)])  # of one cell
    assert not run_tables.mark_idle(seeds)[run_tables.IDLE].any()


def test_without_a_score_no_cell_learned_nothing() -> None:
    cells = trials(("all", "adamw", 0.001, 0.70, 0.66, 0), ("all", "sgd", 0.01, 0.65, 0.5, 1))
    bare = cells[["freezing", "optimizer", "learning_rate", "seed"]]
    assert run_tables.mark_idle(bare)[run_tables.IDLE].tolist() == [0, 0]
    some = run_tables.mark_idle(cells[[*bare, "test_f1"]])
    assert some[run_tables.IDLE].tolist() == [0, 0]
    assert not len(run_tables.mark_idle(bare.iloc[:0]))


def test_no_flagged_trial_is_called_best() -> None:
    flagged = GRID.assign(collapsed=0, no_positive=1)
    grid = run_tables.grid_scores(flagged)
    assert set(grid["flag"]) == {"no positive at 0.5"}
    assert run_tables.best_of_each_optimizer(grid).empty
    assert run_tables.selection_optimism(flagged).empty


def test_optimism_is_validation_minus_test_of_the_chosen() -> None:
    row = run_tables.selection_optimism(GRID).iloc[0]
    assert (row["name"], row["trials"], row["flagged"]) == ("r0", 4, 1)
    assert row["gap"] == pytest.approx(0.04)


def test_modes_are_ordered_from_all_to_none() -> None:
    modes = pd.Series(["none", "2", "some", "all", "2"])
    assert run_tables.freezing_order(modes) == ["all", "some", "2", "none"]


def test_curves_have_a_band_over_seeds_and_none_for_one_seed() -> None:
    epochs = pd.DataFrame(
        {"run_id": ["a", "b", "c"], "epoch": [1, 1, 1], "val_f1": [0.5, 0.7, 0.9]}
    )
    modes = pd.DataFrame({"run_id": ["a", "b", "c"], "freezing": ["all", "all", "some"]})
    table = run_tables.curves(epochs, modes).set_index("freezing")
    assert table.loc["all", "mean"] == pytest.approx(0.6)
    assert table.loc["all", "high"] == pytest.approx(0.6 + np.std([0.5, 0.7], ddof=1))
    assert table.loc["some", "low"] == pytest.approx(0.9)
    assert table.loc["some", "high"] == pytest.approx(0.9)


def test_predictions_are_joined_by_line_and_seed() -> None:
    rows = [
        ("b", "test", 3, "y", 0, 0.2),
        ("b", "test", 2, "x", 1, 0.9),
        ("a", "test", 2, "x", 1, 0.6),
        ("a", "test", 3, "y", 0, 0.4),
        ("a", "validation", 2, "z", 1, 0.0),
    ]
    columns = ["run_id", "split", "line", "group", "label", "probability"]
    runs = pd.DataFrame(
        {"run_id": ["a", "b"], "freezing": ["all", "all"], "seed": [1, 0], "threshold": [0.3, 0.4]}
    )
    found = run_tables.model_predictions(pd.DataFrame(rows, columns=columns), runs, threshold=None)
    assert found["all"].probabilities.tolist() == [[0.9, 0.2], [0.6, 0.4]]
    assert found["all"].thresholds.tolist() == [0.4, 0.3]
    assert found["all"].labels.tolist() == [1, 0]
