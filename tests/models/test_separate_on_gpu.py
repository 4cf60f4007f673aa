"""Guards, on a GPU alone, that texts which share a row are encoded as if each stood alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from models.batches import RowReader
from models.classifier import run_frozen
from models.encoder import load_encoder
from models.tokens import build_table, load_tokenizer
from tests.models.test_on_gpu import DEVICE, ENCODER, LAYERS, TOLERANCES, pytestmark

__all__ = ["pytestmark"]  # pytest reads it: the tests are skipped without a GPU


@pytest.mark.parametrize("precision", sorted(TOLERANCES))
@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("layer_mean", [False, True])
def test_a_texts_states_do_not_depend_on_what_shares_its_row(
    precision: str, attention: str, layer_mean: bool
) -> None:
    eager = attention == "eager"
    lower, _ = load_encoder(
        ENCODER, LAYERS, attention="eager" if eager else "sdpa", encoding="separate",
        layer_mean=layer_mean,
    )  # fmt: skip
    lower.to(DEVICE)
    _, special = load_tokenizer(ENCODER)
    texts = [list(range(100 * n, 101 * n + 1)) for n in (1, 40, 7, 19)]  # 2 to 41 tokens
    pairs = [(texts[0], texts[1]), (texts[2], texts[3]), (texts[1], texts[0])]
    table = build_table(pairs, special, len(pairs), "separate")
    batches = [
        RowReader(each, None, DEVICE).read(np.arange(each.rows))
        for each in (table, table.sequences)
    ]
    shared, alone = (
        run_frozen(lower, batch.inputs, batch.segments, getattr(torch, precision))
        for batch in batches
    )
    ends = table.offsets
    assert table.members is not None
    for row, members in enumerate(table.members):
        begin = 0
        for member in members:
            size = int(ends[member + 1] - ends[member])
            torch.testing.assert_close(
                shared[row, begin : begin + size],
                alone[member, :size],
                atol=TOLERANCES[precision],
                rtol=0,
            )
            begin += size
