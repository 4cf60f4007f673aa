"""Guards the report's sentences: they claim only what the numbers show."""

import pandas as pd
import pytest

from analysis import findings

DIFFERENCE = {
    "model": "some layers frozen", "other": "all layers frozen", "accuracy": 0.02, "auc": 0.005,
    "f1": 0.07,
    "f1_low": 0.04, "f1_high": 0.1, "permutation_p_holm": 0.0004,
}  # fmt: skip


def about(**changes: object) -> str:
    (sentence,) = findings.about_differences(pd.DataFrame([{**DIFFERENCE, **changes}]))
    return sentence


def test_a_gain_is_claimed_only_if_interval_and_corrected_p_agree() -> None:
    assert about().startswith(
        "Test F1 at 0.5 is 7.0 points higher with some layers frozen than with all layers frozen "
        "(95 % interval, not corrected, +4.0 to +10.0; permutation test of whole entities, "
        "Holm-corrected p < .001)."
    )
    for unclear in (about(f1_low=-0.01), about(permutation_p_holm=0.05)):
        assert unclear.startswith(
            "No difference in test F1 at 0.5 is shown between some layers frozen and all layers "
            "frozen: +7.0 points"
        )


def test_a_loss_is_called_one() -> None:
    lost = about(f1=-0.07, f1_low=-0.1, f1_high=-0.04)
    assert lost.startswith(
        "Test F1 at 0.5 is 7.0 points lower with some layers frozen than with all"
    )


@pytest.mark.parametrize(
    ("gain", "low", "high", "verdict"),
    [(0.01, 0.002, 0.018, "helps"), (-0.01, -0.02, -0.001, "hurts"),
     (0.01, -0.001, 0.02, "cannot be told")],
)  # fmt: skip
def test_an_ensemble_is_told_with_its_gain_and_what_can_be_told(
    gain: float, low: float, high: float, verdict: str
) -> None:
    row = {"candidates": 31, "auc": 0.8 + gain, "reference_auc": 0.8}
    table = pd.DataFrame([{**row, "gain": gain, "low": low, "high": high}])
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
