"""Guards the report's sentences: they claim only what the numbers show."""

import pandas as pd
import pytest

from analysis import findings

DIFFERENCE = {
    "model": "some layers frozen", "other": "all layers frozen", "threshold": "validation",
    "f1": 0.07, "f1_low": 0.04, "f1_high": 0.1, "f1_p_holm": 0.0004,
    "precision": 0.031, "precision_p_holm": 0.02, "recall": -0.06, "recall_p_holm": 0.04,
    "accuracy": 0.012, "accuracy_p_holm": 0.2,
}  # fmt: skip


def about(**changes: object) -> str:
    (sentence,) = findings.about_differences(pd.DataFrame([{**DIFFERENCE, **changes}]), "at 0.5")
    return sentence


def test_a_gain_is_claimed_only_if_its_corrected_p_is_small() -> None:
    assert about().startswith(
        "Test F1 at 0.5 is 7.0 points higher with some layers frozen than with all layers frozen "
        "(95 % interval +4.0 to +10.0, not corrected; Holm-corrected p < .001)."
    )
    assert about(f1_p_holm=0.05).startswith(  # whatever the interval says, which is not corrected
        "No difference in test F1 at 0.5 is shown between some layers frozen and all layers "
        "frozen: +7.0 points (95 % interval +4.0 to +10.0, not corrected; Holm-corrected p = .050)"
    )


def test_precision_recall_and_accuracy_gain_or_lose_if_their_own_p_is_small() -> None:
    assert about().endswith(
        "Precision gains 3.1 points (p = .020), recall loses 6.0 points (p = .040), accuracy "
        "differs by +1.2 points, no gain or loss shown (p = .200)."
    )


def test_one_seed_is_told_and_nothing_claimed_of_it() -> None:
    untold = dict.fromkeys(
        [f"{name}_p_holm" for name in ("f1", "precision", "recall", "accuracy")], float("nan")
    )
    sentence = about(**untold)
    assert sentence.startswith("No difference in test F1 at 0.5 is shown")
    assert "too narrow: one seed tells nothing of others" in sentence
    assert "gains" not in sentence
    assert "loses" not in sentence
    of_one_entity = about(**untold, f1_low=float("nan"), f1_high=float("nan"))
    assert "(no interval: all test pairs are of one entity)" in of_one_entity


def test_a_loss_is_called_one() -> None:
    lost = about(f1=-0.07, f1_low=-0.1, f1_high=-0.04)
    assert lost.startswith(
        "Test F1 at 0.5 is 7.0 points lower with some layers frozen than with all"
    )


@pytest.mark.parametrize(
    ("gain", "p", "verdict"),
    [(0.01, 0.03, "it helps (p = .030)"), (-0.01, 0.002, "it hurts (p = .002)"),
     (0.01, 0.05, "cannot be told (p = .050)"), (0.01, float("nan"), "not tested")],
)  # fmt: skip
def test_an_ensemble_is_told_with_its_gain_and_what_can_be_told(
    gain: float, p: float, verdict: str
) -> None:
    row = {"candidates": 31, "auc": 0.8 + gain, "reference_auc": 0.8}
    table = pd.DataFrame([{**row, "gain": gain, "low": 0.001, "high": 0.02, "p": p}])
    (sentence,) = findings.about_ensemble(table)
    assert "ensemble of the 31 confirmed classifiers" in sentence
    assert f": {verdict}." in sentence


def about_sizes(*pairs: int) -> str:
    balance = pd.DataFrame({"split": ["test"], "pairs": [sum(pairs)], "positive_share": [0.5]})
    auc = pd.DataFrame({"auc": [0.8]})
    sizes = pd.DataFrame({"split": "test", "group": list("abc")[: len(pairs)], "pairs": pairs})
    sizes["share"] = sizes["pairs"] / sum(pairs)
    leaks = pd.DataFrame({"check": ["x"], "count": [0]})
    return findings.about_data(balance, auc, sizes, leaks)[2]


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        ((6, 3, 1), "has 3 entities; the largest, “a”, has 6 pairs (60.0 %). Intervals"),
        ((4, 4, 1), "has 3 entities; the 2 largest have 4 pairs each. Intervals"),
        ((4, 4), "has 2 entities with 4 pairs each. Intervals"),
        ((1, 1), "has 2 entities with 1 pair each. Intervals"),
        ((4,), "All test pairs with an entity are about one, “a”. Intervals"),
    ],
)
def test_the_largest_entity_is_named_if_there_is_one(
    pairs: tuple[int, ...], expected: str
) -> None:
    assert expected in about_sizes(*pairs)


@pytest.mark.parametrize("loss", ["val_loss", "val_target_loss"])
def test_the_epoch_with_the_lowest_validation_loss_is_named(loss: str) -> None:
    rows = [("val_loss", 1, 0.4), ("val_loss", 2, 0.45), ("val_loss", 3, 0.5)]
    rows = [row for row in rows if row[0] != loss]  # that against the trained targets goes first
    rows += [(loss, 1, 0.6), (loss, 2, 0.5), (loss, 3, 0.55)]
    rows += [("train_loss", 1, 0.7), ("train_loss", 3, 0.3)]
    curves = pd.DataFrame(rows, columns=["metric", "epoch", "mean"]).assign(freezing="all")
    (sentence,) = findings.about_curves(curves, ["all"])
    assert "lowest in epoch 2 (.500) and had risen to .550 by epoch 3." in sentence
    (once,) = findings.about_curves(curves[curves["epoch"] == 1], ["all"])
    assert "lowest in epoch 1 (.600), the only one." in once
