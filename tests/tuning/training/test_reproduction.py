"""Guards reproduction: a classifier's scores do not depend on which were recomputed before."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.checkpoint import CARD
from tests.models.untrained import save
from tuning.config.experiment import Cleaning
from tuning.data.pairs import read_pairs
from tuning.data.sources import DataLocations
from tuning.training.evaluation import largest_difference, read_probabilities
from tuning.training.reproduction import Comparison, Reproducer, comparison_rule


def make_pairs(folder: Path) -> Path:
    """Write twelve pairs a split, whose second texts are longer than eight tokens."""
    folder.mkdir()
    for number, split in enumerate(("train", "validation", "test")):
        rows = [
            f"w{n} w{number}\t{' '.join(f'w{(n * k + number) % 30}' for k in range(9))}\t{n % 2}"
            for n in range(12)
        ]
        (folder / f"{split}.tsv").write_text("\n".join(["first\tsecond\tlabel", *rows]) + "\n")
    return folder


def complete_card(saved: Path, data: Path) -> None:
    """Add to the card of an untrained classifier what the card of a trial has as well."""
    card = json.loads((saved / CARD).read_text())
    fingerprint = read_pairs(data, Cleaning()).fingerprint
    places = {"name": "own", "folder": str(data), "fingerprint": fingerprint, "both_orders": False}
    card["data"] |= places
    card["trial"]["overlap_features"] = True
    (saved / CARD).write_text(json.dumps({**card, "cached": True}))


def test_classifiers_that_differ_in_their_inputs_are_recomputed_each_with_its_own(
    distilbert: Path, tmp_path: Path
) -> None:
    data = make_pairs(tmp_path / "pairs")
    variants: list[dict[str, Any]] = [
        {}, {"max_tokens": 8}, {"separate": True}, {"separate": True, "max_tokens": 8},
        {"separate": True, "cosine": False}, {"layer_mean": True},
    ]  # fmt: skip
    locations = DataLocations(cache=tmp_path)
    shared, found = Reproducer(locations=locations), []
    for number, variant in enumerate(variants):
        saved = save(tmp_path / str(number), distilbert, depth=3, branch=True, **variant)
        complete_card(saved, data)
        recomputed = shared.check(saved, distilbert, {}).recomputed
        alone = Reproducer(locations=locations).check(saved, distilbert, {}).recomputed
        assert recomputed == alone
        found.append(recomputed["test_loss"])
    assert len(set(found)) == len(found)


HERE = {"name": "EPYC", "parts": 2, "attention": "eager", "torch": "2.13.0+cpu"}
THERE = {"name": "H200", "parts": 1, "attention": "sdpa", "torch": "2.13.0"}


@pytest.mark.parametrize(
    ("card", "moved", "agrees", "how"),
    [
        # one of 1,357 pairs is flipped: never by the same device, as it may be by another
        ({"device": HERE, "precision": "float32"}, 1e-6, False, "computed as here: metrics"),
        (
            {"device": THERE, "precision": "bfloat16"},
            1e-3,
            True,
            "within 0.002, and differ",
        ),
        ({"device": THERE, "precision": "bfloat16"}, 3e-3, False, "computed on H200 (1), torch 2"),
        (
            {"device": THERE, "precision": "float32"},
            1e-3,
            False,
            "here EPYC (2), torch 2.13.0",
        ),
        ({"device": THERE, "precision": "float32"}, 1e-6, True, "probabilities are compared"),
        (
            {"device": THERE, "precision": "float32"},
            None,
            False,
            "are compared within 0.0001",
        ),
        ({"precision": "bfloat16"}, 1e-6, False, "metrics are compared within 0.0001"),
        ({"device": {**HERE, "torch": "2.14.0"}, "precision": "float32"}, 1e-6, True, "2.14.0"),
    ],
)
def test_scores_are_compared_exactly_where_the_same_computes_and_else_by_probabilities(
    card: dict[str, Any], moved: float | None, agrees: bool, how: str
) -> None:
    rule = comparison_rule(card, HERE, moved)
    found = Comparison(logged={"accuracy": 0.7}, recomputed={"accuracy": 0.7 + 1 / 1357}, **rule)
    assert found.agrees == agrees
    assert how in found.how


def test_equal_scores_agree_where_the_same_computes() -> None:
    rule = comparison_rule({"device": HERE, "precision": "bfloat16"}, HERE, 0.5)
    assert Comparison(logged={"auc": 0.7}, recomputed={"auc": 0.7}, **rule).agrees
    assert not Comparison(logged={"auc": 0.7}, recomputed={"auc": float("nan")}, **rule).agrees


def test_the_largest_difference_is_over_all_saved_splits_with_equal_pairs(tmp_path: Path) -> None:
    saved = {"validation": np.array([0.1, 0.5]), "test": np.array([0.4])}
    found = {"validation": np.array([0.1, 0.6]), "test": np.array([0.2])}
    assert largest_difference(saved, found) == pytest.approx(0.2)
    assert largest_difference({"validation": saved["validation"]}, found) == pytest.approx(0.1)
    assert largest_difference(saved, {**found, "test": np.array([0.2, 0.1])}) is None
    assert largest_difference(read_probabilities(tmp_path / "none.csv"), found) is None
