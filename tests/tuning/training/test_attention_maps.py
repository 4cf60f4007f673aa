"""Guards the attention maps: the most confident errors, and weights of the right word pieces."""

import numpy as np
import pytest
import torch

from models.classifier import Classifier
from models.encoder import load_encoder
from models.heads import build_head
from tests.tuning.training.test_trainer import CPU, config, toy
from tuning.system.project import EMBEDDED
from tuning.training.attention_maps import attention_map, confident_errors
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
