"""Guards the report's sentences: they claim only what the numbers show."""

import pandas as pd

from analysis import findings

DIFFERENCE = {
    "model": "some layers frozen", "other": "all layers frozen", "accuracy": 0.02, "auc": 0.005,
    "f1": 0.07,
    "f1_low": 0.04, "f1_high": 0.1, "permutation_p_holm": 0.0004,
}  # fmt: skip


def about(**changes: object) -> str:
    (sentence,) = findings.about_differences(pd.DataFrame([{**DIFFERENCE, **changes}]))
    return sentence


def test_a_gain_is_claimed_only_if_the_interval_excludes_zero() -> None:
    assert about().startswith(
        "Test F1 is 7.0 points higher with some layers frozen than with all layers frozen (95 % "
        "interval +4.0 to +10.0; permutation test of whole entities, Holm-corrected p < .001)."
    )
    unclear = about(f1_low=-0.01)
    assert unclear.startswith(
        "No difference in test F1 is shown between some layers frozen and all layers frozen: +7.0"
    )


def test_a_loss_is_called_one() -> None:
    lost = about(f1=-0.07, f1_low=-0.1, f1_high=-0.04)
    assert lost.startswith("Test F1 is 7.0 points lower with some layers frozen than with all")


def test_a_best_rate_on_the_edge_and_a_collapsed_cell_are_reported() -> None:
    cell = {
        "freezing": "all", "optimizer": "adamw", "learning_rate": 0.001, "test_f1": 0.6,
        "test_f1_at_threshold": 0.7, "test_accuracy": 0.65, "flag": "", "edge": "lowest",
    }  # fmt: skip
    grid = pd.DataFrame([cell, {**cell, "learning_rate": 0.1, "flag": "collapsed"}])
    sentences = findings.about_grid(grid, pd.DataFrame([cell]))
    assert "AdamW did best at a learning rate of 0.001" in sentences[0]
    assert "That is the lowest rate of the grid" in sentences[0]
    assert sentences[1] == (
        "1 of 2 cells are flagged, and none of them is called best: AdamW 0.1 (all layers frozen) "
        "collapsed. A collapsed cell ranks the validation pairs no better than chance."
    )


def test_error_rates_have_a_sentence_if_there_are_several_bins() -> None:
    rows = [("votes", "0 of 3", 0.1), ("votes", "3 of 3", 0.4), ("pieces", "all 15", 0.3)]
    rates = pd.DataFrame(rows, columns=["by", "bin", "error_rate"])
    assert findings.about_errors(rates) == [
        "By votes, error rates range from 10.0 % (0 of 3) to 40.0 % (3 of 3)."
    ]


def test_the_epoch_with_the_lowest_validation_loss_is_named() -> None:
    rows = [("val_loss", 1, 0.6), ("val_loss", 2, 0.5), ("val_loss", 3, 0.55)]
    rows += [("train_loss", 1, 0.7), ("train_loss", 3, 0.3)]
    curves = pd.DataFrame(rows, columns=["metric", "epoch", "mean"]).assign(freezing="all")
    (sentence,) = findings.about_curves(curves, ["all"])
    assert "lowest in epoch 2 (.500) and had risen to .550 by epoch 3." in sentence
