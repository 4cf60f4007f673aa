"""Guards the attention maps: the most confident errors, and weights of the right word pieces."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from analysis.error_tables import choose_examples
from models.classifier import Classifier
from models.encoder import load_encoder
from models.heads import build_head
from tests.models.untrained import save
from tests.tuning.training.test_trainer import CPU, config, toy
from tuning.data.pairs import PairTable
from tuning.system.project import EMBEDDED
from tuning.training.attention_maps import (
    MAPS_PER_KIND,
    attention_map,
    confident_errors,
    occlude_errors,
)
from tuning.training.inputs import LoadedSplit


def test_the_most_confident_errors_come_first_and_a_group_only_once() -> None:
    labels = np.array([0, 0, 0, 1, 1, 1])
    probabilities = np.array([0.7, 0.9, 0.2, 0.1, 0.3, 0.8])
    groups = ["a", "a", "b", "c", "d", "d"]
    assert confident_errors(labels, probabilities, groups, 0.5, 5) == [1, 3, 4]
    assert confident_errors(labels, probabilities, groups, 0.5, 1) == [1, 3]


def test_errors_are_those_at_the_threshold() -> None:
    labels, probabilities = np.array([0, 0, 1, 1]), np.array([0.45, 0.3, 0.45, 0.3])
    assert confident_errors(labels, probabilities, [""] * 4, 0.4, 5) == [0, 3]
    assert confident_errors(labels, probabilities, [""] * 4, 0.5, 5) == [3, 2]


def test_pairs_without_a_group_are_groups_of_their_own() -> None:
    found = confident_errors(np.zeros(3), np.array([0.6, 0.8, 0.7]), ["", "", ""], 0.5, 5)
    assert found == [1, 2, 0]


@pytest.mark.parametrize("head", ["cross_attention", "attention_pooling", "bilstm_attention"])
def test_weights_belong_to_their_word_pieces(head: str) -> None:
    torch.manual_seed(0)
    _, upper = load_encoder(EMBEDDED / "encoder", 4, attention="eager")
    model = Classifier(None, upper, build_head(head, width=12, head_width=6))
    arrays = toy(0)
    pieces = [f"w{number}" for number in range(9)]
    found = attention_map(model, LoadedSplit(arrays, config(), CPU), arrays, 5, pieces)
    assert found["tokens"] == pieces
    weights = np.array(found["weights"])
    if head == "cross_attention":
        assert weights.shape == (3, 3)
        assert weights.sum() == pytest.approx(3, abs=1e-2)
    else:
        assert weights.shape == (9,)
        assert weights.sum() == pytest.approx(1, abs=1e-2)


def test_every_example_of_three_modes_has_measured_words(distilbert: Path, tmp_path: Path) -> None:
    groups = list("abcdefabcdef")  # the surest errors of both kinds are of the same groups
    labels, likely = np.repeat([0, 1], 6), [*np.linspace(0.9, 0.6, 6), *np.linspace(0.1, 0.4, 6)]
    lines = list(range(2, 14))
    test = PairTable(
        first=["w1 w2"] * 12, second=["w2 w3"] * 12, labels=labels, votes=np.full(12, np.nan),
        groups=groups, lines=lines,
    )  # fmt: skip
    rows = pd.DataFrame({"split": "test", "line": lines, "label": labels, "probability": likely})
    saved = {name: (tmp_path / name, 0.5) for name in ("01-all", "02-some", "03-none")}
    for folder, _ in saved.values():
        save(folder / "model", distilbert)
        rows.to_csv(folder / "predictions.csv", index=False)
    measured = occlude_errors(saved, distilbert, test)
    surest = confident_errors(labels, np.array(likely), groups, 0.5, MAPS_PER_KIND)
    maps = [{"line": lines[pair]} for pair in surest]
    decided = dict(zip(lines, [True] * 6 + [False] * 6, strict=True))
    shown: set[str] = set()
    for examples in measured.values():
        chosen = choose_examples(maps, rows.assign(group=groups), decided, shown)
        assert {each["line"] for each in chosen} <= {each["line"] for each in examples}
        shown |= {each["pair"]["group"] for each in chosen}
    assert len(shown) == 5  # the maps of the last mode have no sixth group
