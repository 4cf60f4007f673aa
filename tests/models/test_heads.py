"""Guards the heads: masks, symmetry, attention weights that sum to one, and their cost."""

from typing import Any, cast

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence
from torch.utils.flop_counter import FlopCounterMode

from models.heads import (
    HEADS,
    AttentionPoolingHead,
    BiLstmAttentionHead,
    CrossAttentionHead,
    FeatureBranch,
    build_head,
    masked_mean,
    mean_and_max,
)
from models.segments import FIRST, PADDING, SECOND, SPECIAL

B, T, D, W, C = 3, 8, 10, 6, 2  # all different, so that a swapped axis cannot pass
ROW = [SPECIAL, FIRST, FIRST, SPECIAL, SECOND, SPECIAL, PADDING, PADDING]


def inputs() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    full = [SPECIAL, FIRST, SPECIAL, SECOND, SECOND, SECOND, SECOND, SPECIAL]
    short = [SPECIAL, FIRST, SPECIAL, SECOND, SPECIAL, PADDING, PADDING, PADDING]
    return torch.randn(B, T, D, generator=generator), torch.tensor([ROW, full, short])


def head_of(name: str) -> torch.nn.Module:
    torch.manual_seed(0)
    return build_head(name, width=D, head_width=W, num_classes=C).eval()


@pytest.mark.parametrize("name", sorted(HEADS))
def test_logits_have_a_row_a_pair_and_a_column_a_class(name: str) -> None:
    assert head_of(name)(*inputs()).shape == (B, C)


@pytest.mark.parametrize("name", sorted(HEADS))
def test_states_on_padding_do_not_change_logits(name: str) -> None:
    head, (states, segments) = head_of(name), inputs()
    other = states.masked_fill((segments == PADDING)[:, :, None], 1e4)
    torch.testing.assert_close(head(other, segments), head(states, segments))


@pytest.mark.parametrize("name", sorted(HEADS))
def test_more_padding_does_not_change_logits(name: str) -> None:
    head, (states, segments) = head_of(name), inputs()
    torch.testing.assert_close(head(states[:1, :6], segments[:1, :6]), head(states, segments)[:1])


@pytest.mark.parametrize("name", sorted(HEADS))
def test_the_order_of_pairs_in_a_batch_does_not_matter(name: str) -> None:
    head, (states, segments) = head_of(name), inputs()
    order = torch.tensor([2, 0, 1])
    torch.testing.assert_close(head(states[order], segments[order]), head(states, segments)[order])


@pytest.mark.parametrize("name", sorted(HEADS))
def test_every_weight_gets_a_gradient(name: str) -> None:
    head = head_of(name).train()
    head(*inputs())[:, 1].sum().backward()
    weights = dict(head.named_parameters())
    idle = [key for key, w in weights.items() if w.grad is None or not w.grad.abs().sum()]
    assert not [key for key in idle if "score.bias" not in key]  # softmax ignores a constant


def test_swapping_the_definitions_does_not_change_cross_attention_logits() -> None:
    head, (states, segments) = head_of("cross_attention"), inputs()
    swapped = segments.clone()
    swapped[segments == FIRST], swapped[segments == SECOND] = SECOND, FIRST
    torch.testing.assert_close(head(states, swapped), head(states, segments))


def test_cross_attention_looks_at_the_other_definition_only() -> None:
    head, (states, segments) = cast("CrossAttentionHead", head_of("cross_attention")), inputs()
    weights = head.attend(states, segments)
    first, second = segments == FIRST, segments == SECOND
    torch.testing.assert_close(weights.sum(dim=-1), (first | second).float())
    allowed = first[:, :, None] & second[:, None] | second[:, :, None] & first[:, None]
    assert (weights[~allowed] == 0).all()


def test_cross_attention_finds_the_same_word_in_the_other_definition() -> None:
    head, (states, segments) = cast("CrossAttentionHead", head_of("cross_attention")), inputs()
    states[1, 5] = states[1, 1]  # the only word of the first definition, among four of the second
    assert head.attend(states, segments)[1, 1].argmax() == 5


@pytest.mark.parametrize("name", ["attention_pooling", "bilstm_attention"])
def test_pooling_weights_sum_to_one_and_leave_padding_out(name: str) -> None:
    head = cast("AttentionPoolingHead | BiLstmAttentionHead", head_of(name))
    states, segments = inputs()
    weights = head.attend(states, segments)
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(B))
    assert (weights[segments == PADDING] == 0).all()


@given(
    lengths=st.lists(st.integers(2, 9), min_size=1, max_size=7),
    padding=st.integers(0, 3),
    counted=st.booleans(),
)
@settings(max_examples=40, deadline=None)
def test_an_lstm_reads_rows_of_any_length_as_pytorch_sorts_them(
    lengths: list[int], padding: int, *, counted: bool
) -> None:
    torch.manual_seed(len(lengths))
    head = cast("Any", head_of("bilstm_attention"))
    states = torch.randn(len(lengths), max(lengths) + padding, D)
    segments = torch.full(states.shape[:2], PADDING)
    for row, length in enumerate(lengths):
        segments[row, :length] = FIRST
    found = head._read(states, segments, None if counted else torch.tensor(lengths))
    projected = head.project(states).tanh()
    packed = pack_padded_sequence(projected, torch.tensor(lengths), True, enforce_sorted=False)
    length = states.shape[1]
    expected, _ = pad_packed_sequence(head.lstm(packed)[0], True, total_length=length)
    assert torch.equal(found, expected)
    gradients = [torch.autograd.grad(read.sum(), head.parameters(), allow_unused=True)
                 for read in (found, expected)]  # fmt: skip
    for one, other in zip(*gradients, strict=True):
        assert one is other is None or torch.equal(one, other)


def test_masked_mean_and_maximum_are_those_of_the_marked_tokens() -> None:
    states = torch.tensor([[[1.0, -5.0], [3.0, -7.0], [100.0, 100.0]]])
    mask = torch.tensor([[True, True, False]])
    torch.testing.assert_close(masked_mean(states, mask), torch.tensor([[2.0, -6.0]]))
    torch.testing.assert_close(mean_and_max(states, mask), torch.tensor([[2.0, -6.0, 3.0, -5.0]]))


def test_the_default_head_is_cheap_on_a_full_size_encoder() -> None:
    tokens = 45
    head = build_head("cross_attention", width=768)
    segments = torch.full((1, tokens), FIRST)
    segments[0, 20:] = SECOND
    with FlopCounterMode(display=False) as counter:
        head(torch.randn(1, tokens, 768), segments).sum().backward()
    assert counter.get_total_flops() <= 0.6e9


def test_unknown_head_lists_the_known_ones() -> None:
    known = "attention_pooling, bilstm_attention, cross_attention, mean_pooling"
    with pytest.raises(ValueError, match=f"unknown head 'max'; choose one of {known}"):
        build_head("max", width=D)


def test_a_branch_does_not_depend_on_the_features_units() -> None:
    features = torch.tensor([[1.0, 30.0, 5.0], [0.0, 10.0, 5.0]])
    units = torch.tensor([1.0, 1000.0, 1.0])

    def logits(scaled: Tensor) -> Tensor:
        torch.manual_seed(0)
        mean, scale = scaled.mean(dim=0), scaled.std(dim=0)
        return FeatureBranch(mean, scale, W, C, 0.0).eval()(scaled)

    assert logits(features).shape == (2, C)
    torch.testing.assert_close(logits(features * units), logits(features))
    assert logits(features).isfinite().all()  # the third feature is constant
