"""Guards the sentences about grid and errors: the best cell is the best, and nothing vanishes."""

import pandas as pd
import pytest

from analysis import grid_findings
from analysis.run_tables import best_of_each_optimizer, grid_scores, selection_optimism
from tests.analysis.test_run_tables import GRID, trials

BOTH = trials(
    ("all", "adamw", 0.001, 0.70, 0.66, 0),
    ("all", "adamw", 0.01, 0.68, 0.69, 0),
    ("all", "sgd", 0.001, 0.60, 0.61, 1),
    ("all", "sgd", 0.01, 0.65, 0.60, 1),
    ("some", "adamw", 0.001, 0.69, 0.66, 0),
    ("some", "adamw", 0.01, 0.74, 0.72, 0),
)


def about(frame: pd.DataFrame) -> list[str]:
    grid = grid_scores(frame)
    return grid_findings.about_grid(grid, best_of_each_optimizer(grid))


def test_the_best_cell_comes_first_whatever_its_place_in_the_table() -> None:
    best, *others = about(BOTH)
    assert best.startswith(
        "The best cell of the grid by validation F1 (.740) is AdamW at a learning rate of 0.01 "
        "with some layers frozen: test F1 .720 and accuracy .720 at the threshold chosen on "
        "validation (.720 and .720 at 0.5)."
    )
    assert best.endswith("That is the highest rate of the grid: the true best may lie outside it.")
    assert others[0].startswith("With all layers frozen, AdamW did best at a learning rate of 0.0")


def test_an_optimizer_whose_cells_are_all_flagged_is_named() -> None:
    assert (
        "With all layers frozen, every cell of SGD is flagged: none of its rates is called best."
    ) in about(BOTH)


def test_a_best_rate_on_the_edge_and_a_collapsed_cell_are_reported() -> None:
    sentences = about(GRID)
    assert "AdamW did best at a learning rate of 0.001" in sentences[1]
    assert "That is the lowest rate of the grid" in sentences[1]
    assert sentences[-1] == (
        "1 of 5 cells are flagged, and none of them is called best: AdamW 0.1 (all layers frozen) "
        "collapsed. A collapsed cell ranks the validation pairs no better than chance."
    )


def test_a_cell_that_learned_nothing_is_named_with_what_that_means() -> None:
    same = BOTH.assign(learned_nothing=[1, 1, 0, 0, 0, 0], collapsed=0)
    assert about(same)[-1] == (
        "2 of 6 cells are flagged, and none of them is called best: AdamW 0.001 (all layers "
        "frozen) learned nothing, AdamW 0.01 (all layers frozen) learned nothing. The head of a "
        "cell that learned nothing gives every pair the same probability, or has, to the third "
        "digit, the scores of another rate or optimizer."
    )


def test_a_grid_of_flagged_cells_has_no_best() -> None:
    assert about(GRID.assign(diverged=1))[0] == (
        "Every cell of the grid is flagged: none of them is called best."
    )


def test_the_best_of_all_trials_says_how_many_were_flagged() -> None:
    (sentence,) = grid_findings.about_optimism(selection_optimism(GRID))
    assert sentence.endswith("which the choice itself tends to raise.")
    assert sentence.startswith(
        "The best of 5 trials (1 flagged, which are never chosen) with all layers frozen, chosen "
    )


def test_of_a_single_trial_no_choice_is_told() -> None:
    (sentence,) = grid_findings.about_optimism(selection_optimism(GRID.head(1)))
    assert "there is one trial, so nothing was chosen" in sentence
    assert "best" not in sentence


@pytest.mark.parametrize(
    ("seeds", "runs"),
    [
        ([0], "one training run with one seed"),
        ([0, 1, 2], "the mean over 3 seeds"),
        ([0, 0], "the mean over 2 training runs"),
    ],
)
def test_what_a_cell_stands_for_is_told(seeds: list[int], runs: str) -> None:
    frame = pd.concat([GRID.assign(seed=seed) for seed in seeds], ignore_index=True)
    assert grid_findings.runs_of(grid_scores(frame)) == runs


def test_errors_have_a_sentence_for_each_class_and_each_property() -> None:
    rows = [("word overlap", "no paraphrase", "0 to 0.2", 0.1)]
    rows += [("word overlap", "no paraphrase", "0.2 to 1", 0.6)]
    rows += [("word overlap", "paraphrase", "0 to 0.2", 0.5)]
    rows += [("word overlap", "paraphrase", "0.2 to 1", 0.2)]
    rows += [("votes", "all pairs", "0", 0.1), ("votes", "all pairs", "3", 0.4)]
    rates = pd.DataFrame(rows, columns=["by", "of", "bin", "error_rate"]).assign(model="all")
    assert grid_findings.about_errors(rates) == [
        "Of the pairs that are no paraphrases, 10.0 % are called a paraphrase where word overlap "
        "is lowest (0 to 0.2) and 60.0 % where it is highest (0.2 to 1).",
        "Of the paraphrases, 50.0 % are missed where word overlap is lowest (0 to 0.2) and 20.0 % "
        "where it is highest (0.2 to 1).",
        "By votes, error rates range from 10.0 % (0) to 40.0 % (3).",
    ]
