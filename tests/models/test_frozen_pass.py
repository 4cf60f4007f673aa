"""Guards the frozen pass: an output on the way has, to the bit, the states of a pass to there."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from models.batches import RowReader
from models.classifier import run_frozen
from models.encoder import load_encoder
from models.families import FAMILIES
from models.frozen_pass import FrozenEncoder, encode, encode_each
from models.segments import PADDING
from models.tokens import Encoding, build_table, encode_texts, load_tokenizer
from tests.models.drawn_encoders import LAYERS, TEXT, draw_encoder

ENDS = [(LAYERS, True), (1, False), (LAYERS, False), (2, False)]
# a convolution reads across texts: it cannot encode them separately
CASES = [(name, "pair") for name in sorted(FAMILIES)] + [
    (name, "separate") for name in sorted(FAMILIES) if name != "deberta-v2"
]


def outputs_of(folder: Path, encoding: Encoding, precision: torch.dtype) -> list[FrozenEncoder]:
    """Return each end with the layers below it, loaded for it alone."""
    loaded = {
        (depth, mean): load_encoder(folder, depth, encoding=encoding, layer_mean=mean)[0]
        for depth, mean in ENDS
    }
    return [
        FrozenEncoder(
            lower=lambda part=part: part,
            encoder_fingerprint="f",
            depth=depth,
            layer_mean=mean,
            precision=precision,
            device=torch.device("cpu"),
        )
        for (depth, mean), part in loaded.items()
    ]


@pytest.mark.parametrize(("name", "encoding"), CASES)
def test_one_pass_has_the_states_of_a_pass_to_each_depth(
    tmp_path: Path, name: str, encoding: Encoding
) -> None:
    folder = draw_encoder(tmp_path, name)
    tokenizer, special = load_tokenizer(folder)
    ids = [text[:11] for text in encode_texts(tokenizer, TEXT)]
    rows = [(ids[0], ids[1]), (ids[2][:3], ids[3][:2]), (ids[4], ids[0])]
    table = build_table(rows, special, 3, encoding)
    for precision in (torch.float32, torch.bfloat16):
        outputs, counted = outputs_of(folder, encoding, precision), []
        found = encode_each(outputs, table, counted.append)
        assert sum(counted) == table.sequences.rows
        for output, states in zip(outputs, found, strict=True):
            np.testing.assert_array_equal(states, encode(output, table))
        assert [states.shape[1] for states in found] == [48, 24, 24, 24]
        assert len({states.tobytes() for states in found}) == len(ENDS)


@pytest.mark.parametrize(("name", "encoding"), CASES)
def test_weights_kept_in_half_precision_change_no_bit(
    tmp_path: Path, name: str, encoding: Encoding
) -> None:
    folder, precision = draw_encoder(tmp_path, name), torch.bfloat16
    tokenizer, special = load_tokenizer(folder)
    first, second = encode_texts(tokenizer, TEXT)[:2]
    table = build_table([(first[:11], second[:7])], special, 1, encoding)
    output = outputs_of(folder, encoding, precision)[2]
    batch = RowReader(table.sequences, None, output.device).read(np.arange(table.sequences.rows))
    expected = run_frozen(output.lower(), batch.inputs, batch.segments, precision)
    assert not any(weight.dtype == precision for weight in output.lower().parameters())
    states = encode(output, table)
    assert any(weight.dtype == precision for weight in output.lower().parameters())
    real = expected[batch.segments != PADDING].numpy()
    np.testing.assert_array_equal(states.astype(np.float32), real)


def test_only_the_layers_of_the_deepest_output_are_loaded(distilbert: Path) -> None:
    def fail() -> None:
        raise AssertionError("loaded")

    deep, *others = outputs_of(distilbert, "pair", torch.float32)
    table = build_table([([5, 6], [7])], load_tokenizer(distilbert)[1], 1, "pair")
    unloaded = [replace(each, lower=fail) for each in others if each.depth < LAYERS]
    assert len(encode_each([*unloaded, deep], table)) == 3
