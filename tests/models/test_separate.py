"""Guards pairs whose texts are encoded separately: each as if it stood alone."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from torch import Tensor

from models.batches import RowReader
from models.classifier import Classifier, run_frozen
from models.encoder import load_encoder
from models.encoder_files import EncoderError
from models.families import FAMILIES
from models.heads import HEADS, build_head
from models.segments import FIRST, PADDING, SECOND, SECOND_SPECIAL, SPECIAL
from models.tokens import SpecialTokens, TokenTable, build_table, encode_texts, load_tokenizer
from tests.models.drawn_encoders import LAYERS, TEXT, draw_encoder
from tests.models.test_families import CASES, whole

Attention = Literal["eager", "sdpa"]
CPU = torch.device("cpu")
NAMES = sorted(FAMILIES)
SPECIAL_TOKENS = SpecialTokens(before=(2,), between=(3,), after=(3,))


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return a function from a family's name to the folder of its encoder, drawn once."""

    def draw(name: str) -> Path:
        # a convolution reads across texts: refused, as a test below shows
        changes = {"conv_kernel_size": 0} if name == "deberta-v2" else {}
        return draw_encoder(tmp_path_factory.mktemp(name), name, **changes)

    return cache(draw)


def table_of(folder: Path) -> TokenTable:
    """Return four rows of five definitions, one of which is in three of them."""
    tokenizer, special = load_tokenizer(folder)
    ids = [text[:11] for text in encode_texts(tokenizer, TEXT)]
    rows = [(ids[0], ids[1]), (ids[2][:3], ids[3][:2]), (ids[4], ids[0]), (ids[0], ids[2][:3])]
    return build_table(rows, special, 4, "separate")


def test_each_different_definition_is_a_sequence_and_a_row_is_two_of_them() -> None:
    rows = [([7, 8], [9]), ([9], [7, 8]), ([5, 5, 5], [9])]
    table = build_table(rows, SPECIAL_TOKENS, 3, "separate")
    assert table.tokens.tolist() == [2, 7, 8, 3, 2, 9, 3, 2, 5, 5, 5, 3]
    assert table.members is not None
    assert table.members.tolist() == [[0, 1], [1, 0], [2, 1]]
    assert table.rows == 3
    assert table.lengths.tolist() == [7, 7, 8]
    tokens, kinds = table.row(1)
    assert tokens.tolist() == [2, 9, 3, 2, 7, 8, 3]
    assert kinds.tolist() == [SPECIAL, FIRST, SPECIAL, SECOND_SPECIAL, SECOND, SECOND, 4]
    alone = table.sequences
    assert (alone.rows, alone.pairs) == (3, 3)
    assert alone.lengths.tolist() == [4, 3, 5]


def test_a_batch_has_the_rows_of_the_table_and_padding_after_them() -> None:
    rows = [([7, 8], [9]), ([9], [7, 8]), ([5, 5, 5], [9, 6, 6])]
    table = build_table(rows, SPECIAL_TOKENS, 3, "separate")
    batch = RowReader(table, None, CPU).read(np.array([2, 0]))
    assert batch.inputs.shape == (2, 10)
    for position, number in enumerate((2, 0)):
        tokens, kinds = table.row(number)
        assert batch.inputs[position, : len(tokens)].tolist() == tokens.tolist()
        assert batch.segments[position, : len(tokens)].tolist() == kinds.tolist()
        assert (batch.segments[position, len(tokens) :] == PADDING).all()
        assert batch.lengths[position] == len(tokens)
    states = np.arange(len(table.tokens), dtype=np.float16)[:, None].repeat(3, axis=1)
    read = RowReader(table, states, CPU).read(np.array([1]))
    assert read.inputs[0, :, 0].tolist() == [4, 5, 6, 0, 1, 2, 3]  # the second, then the first


@pytest.mark.parametrize(("name", "attention"), CASES)
@torch.no_grad()
def test_wherever_it_is_cut_each_text_has_the_states_that_it_has_alone(
    folders: Callable[[str], Path], name: str, attention: Attention
) -> None:
    folder = folders(name)
    table = table_of(folder)
    batch = RowReader(table, None, CPU).read(np.array([3, 0, 1, 2]))
    alone = RowReader(table.sequences, None, CPU).read(np.arange(table.sequences.rows))
    expected = whole(folder, attention, alone.inputs, alone.segments)
    for depth in range(LAYERS + 1):
        lower, upper = load_encoder(folder, depth, attention=attention, encoding="separate")
        states = batch.inputs if depth == 0 else lower(batch.inputs, batch.segments)
        found = upper(states, batch.segments)
        assert found.isfinite().all()
        for row, number in enumerate((3, 0, 1, 2)):
            assert_pair(found[row], expected, table, number)


def assert_pair(found: Tensor, expected: Tensor, table: TokenTable, number: int) -> None:
    """Check that a row's states are those of its two sequences."""
    assert table.members is not None
    lengths = np.diff(table.offsets)
    first, second = table.members[number]
    parts = torch.cat([expected[first, : lengths[first]], expected[second, : lengths[second]]])
    torch.testing.assert_close(found[: len(parts)], parts, atol=2e-6, rtol=2e-5)


@pytest.mark.parametrize("name", NAMES)
@torch.no_grad()
def test_two_texts_of_the_longest_length_fit_into_a_row(
    folders: Callable[[str], Path], name: str
) -> None:
    folder = folders(name)
    special, length = load_tokenizer(folder)[1], 38 if name in ("mpnet", "roberta") else 40
    text = [7] * (length - special.of_text)
    batch = RowReader(build_table([(text, [8, *text[1:]])], special, 1, "separate"), None, CPU)
    lower, _ = load_encoder(folder, LAYERS, encoding="separate")
    read = batch.read(np.array([0]))
    assert read.inputs.shape == (1, 2 * length)
    assert lower(read.inputs, read.segments).isfinite().all()


@pytest.mark.parametrize("head", sorted(HEADS))
@pytest.mark.parametrize("name", ["bert", "distilbert", "roberta"])
@torch.no_grad()
def test_states_kept_once_for_each_definition_give_the_logits_of_the_plain_pass(
    folders: Callable[[str], Path], name: str, head: str
) -> None:
    folder, table = folders(name), table_of(folders(name))
    torch.manual_seed(4)
    for depth, mean in ((1, False), (LAYERS, False), (LAYERS, True)):
        lower, upper = load_encoder(folder, depth, encoding="separate", layer_mean=mean)
        module = build_head(head, width=upper_width(lower), head_width=6)
        plain = Classifier(lower, upper, module).eval()
        cached = Classifier(None, upper, module).eval()
        states = kept_states(plain, table)
        for rows in ([0, 1, 2, 3], [2], [3, 1]):
            tokens = RowReader(table, None, CPU).read(np.array(rows))
            read = RowReader(table, states, CPU).read(np.array(rows))
            torch.testing.assert_close(
                cached(read.inputs, read.segments), plain(tokens.inputs, tokens.segments)
            )


def upper_width(lower: torch.nn.Module) -> int:
    """Return the width of an encoder."""
    return int(next(iter(lower.layers.parameters())).shape[-1])  # pyright: ignore[reportCallIssue, reportAttributeAccessIssue, reportArgumentType]


def kept_states(plain: Classifier, table: TokenTable) -> np.ndarray:
    """Return the states of each sequence's tokens, one after another."""
    assert plain.lower is not None
    batch = RowReader(table.sequences, None, CPU).read(np.arange(table.sequences.rows))
    states = run_frozen(plain.lower, batch.inputs, batch.segments, torch.float32)
    return states[batch.segments != PADDING].numpy()


def test_an_encoder_with_a_convolution_is_refused(tmp_path: Path) -> None:
    folder = draw_encoder(tmp_path, "deberta-v2")
    with pytest.raises(EncoderError, match=r"convolution reads across texts; use encoding: pair"):
        load_encoder(folder, 1, encoding="separate")
