"""Guards the features of a pair: shared words, and the cosine of texts that were encoded alone."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from models.batches import SplitArrays
from models.cosine import mean_cosine
from models.encoder import EncoderPart, load_encoder
from models.precision import has_fast_products
from models.segments import FIRST, PADDING, SECOND, SECOND_SPECIAL, SPECIAL
from models.tokens import SpecialTokens, build_table
from tests.tuning.training.test_trainer import config, toy
from tuning.training.pair_features import add_cosines, features_of, frozen_states

CPU = torch.device("cpu")
TEXTS = [[7, 8, 9], [10, 11], [12], [13, 14, 15, 16], [7, 8]]


def split_of(pairs: Sequence[tuple[int, int]]) -> SplitArrays:
    """Return pairs of the texts with these numbers, encoded separately, in both orders."""
    rows = [(TEXTS[a], TEXTS[b]) for a, b in [*pairs, *((b, a) for a, b in pairs)]]
    special = SpecialTokens(before=(2,), between=(3,), after=(3,))
    size = len(pairs)
    return SplitArrays(
        table=build_table(rows, special, size, "separate"),
        states=None,
        labels=np.arange(size) % 2,
        votes=np.full(size, np.nan, dtype=np.float32),
        entities=np.arange(size),
    )


def test_the_cosine_is_that_of_the_texts_own_tokens() -> None:
    kinds = [SPECIAL, FIRST, FIRST, SPECIAL, SECOND_SPECIAL, SECOND, SECOND_SPECIAL, PADDING]
    states = torch.full((2, 8, 2), 100.0)  # special tokens and padding do not count
    states[:, 1], states[:, 2] = torch.tensor([3.0, 0.0]), torch.tensor([0.0, 3.0])
    states[0, 5], states[1, 5] = torch.tensor([2.0, 2.0]), torch.tensor([0.0, -4.0])
    found = mean_cosine(states, torch.tensor([kinds] * 2))
    assert found.shape == (2, 1)
    assert found[:, 0].tolist() == pytest.approx([1.0, -(0.5**0.5)])


def loaded(folder: Path, depth: int) -> tuple[EncoderPart, EncoderPart]:
    return load_encoder(folder, depth, encoding="separate")


def test_cosines_of_kept_states_are_those_of_a_plain_pass(distilbert: Path) -> None:
    plain = split_of([(0, 1), (2, 3), (4, 0), (1, 1)])
    run = frozen_states(lambda: loaded(distilbert, 2), torch.float32, CPU)
    from_tokens = add_cosines({"train": plain}, run, CPU, 12)["train"].cosine
    states = kept_states(distilbert, plain)
    kept = add_cosines({"train": replace(plain, states=states)}, fail, CPU, 12)["train"].cosine
    assert from_tokens is not None
    assert from_tokens.shape == (4, 1)
    assert kept == pytest.approx(from_tokens, abs=1e-6)
    assert from_tokens[3, 0] == pytest.approx(1)  # a text and itself
    assert np.ptp(from_tokens) > 1e-3


def fail(batch: object) -> torch.Tensor:
    raise AssertionError("the states are there")


def kept_states(folder: Path, arrays: SplitArrays) -> np.ndarray:
    """Return the states of all sequences' tokens, each sequence run alone."""
    lower, _ = loaded(folder, 2)
    table = arrays.table.sequences
    parts = []
    for number in range(table.rows):
        tokens, kinds = (torch.from_numpy(part.astype(np.int64)) for part in table.row(number))
        with torch.no_grad():
            parts.append(lower(tokens[None], kinds[None])[0].numpy())
    return np.concatenate(parts)


def test_cosines_that_are_not_kept_are_multiplied_as_those_of_kept_states(
    distilbert: Path,
) -> None:
    settings: Any = torch.backends
    settings.mkldnn.matmul.fp32_precision = "ieee"
    frozen_states(lambda: load_encoder(distilbert, 2), torch.float32, torch.device("cpu"))
    expected = "bf16" if has_fast_products() else "ieee"
    assert settings.mkldnn.matmul.fp32_precision == expected


def test_a_trial_has_the_features_that_it_asks_for() -> None:
    overlap, cosine = np.ones((60, 2)), np.full((60, 1), 0.5)
    arrays = replace(toy(0), overlap=overlap, cosine=cosine)
    assert features_of(arrays, config()) is None
    shared = features_of(arrays, config(overlap_features=True))
    both = features_of(arrays, config(overlap_features=True, cosine_feature=True))
    assert shared is not None
    assert both is not None
    assert (shared.shape, both.shape) == ((60, 2), (60, 3))
    assert both[0].tolist() == [1, 1, 0.5]


@pytest.mark.parametrize(
    ("field", "name"), [("overlap_features", "overlap features"), ("cosine_feature", "cosines")]
)
def test_features_that_a_split_lacks_are_named(field: str, name: str) -> None:
    with pytest.raises(ValueError, match=f"the split has no {name}"):
        features_of(toy(0), config(**{field: True}))
