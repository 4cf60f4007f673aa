"""Heads: from the token states of a sentence pair to class logits.

Shapes: B pairs in the batch, T tokens per pair after padding, D encoder width, W width of the
first projection, C classes, F features of a pair.

Each head takes the rows' numbers of tokens too, int64 (B,) on the CPU: without them a head that
needs them there counts the segments, for which a GPU and the host wait for each other.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from models.dropout import Dropout
from models.segments import FIRST, PADDING, SECOND

# factor of the cosines; dot products divided by the root of W lose 2 points of AUC on PARADE
_SHARPNESS = 10.0


class CrossAttentionHead(nn.Module):
    """Let each definition attend to the other, compare token by token, pool and classify.

    Decomposable attention (Parikh et al., 2016) with the comparison [a; b; |a-b|; a*b] and the
    mean and max pooling of ESIM (Chen et al., 2017). Swapping the definitions' roles changes
    nothing: both share all weights, and only their sum and absolute difference are classified.
    Attention scores are cosines times 10: sharp enough to find a word's match, whatever the scale
    of the encoder's states.

    Args:
        width: Encoder width D.
        head_width: Width W of the first projection.
        num_classes: Number of classes C.
        dropout: Chance of dropping a feature while training, in [0, 1).
    """

    def __init__(self, width: int, head_width: int, num_classes: int, dropout: float) -> None:
        super().__init__()
        self.project = nn.Linear(width, head_width)
        self.compare = nn.Linear(4 * head_width, head_width)
        self.combine = nn.Linear(4 * head_width, head_width)
        self.classify = nn.Linear(head_width, num_classes)
        self.dropout = Dropout(dropout)

    def forward(self, states: Tensor, segments: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Return logits (B, C) for states (B, T, D) and kinds of position (B, T)."""
        projected = self._project(states)  # (B, T, W)
        aligned = self._weights(projected, segments) @ projected  # (B, T, W)
        pair = [projected, aligned, (projected - aligned).abs(), projected * aligned]
        compared = self.compare(self.dropout(torch.cat(pair, dim=-1))).relu()  # (B, T, W)
        first = mean_and_max(compared, segments == FIRST)  # (B, 2W)
        second = mean_and_max(compared, segments == SECOND)  # (B, 2W)
        both = torch.cat([first + second, (first - second).abs()], dim=-1)  # (B, 4W)
        return self.classify(self.dropout(self.combine(self.dropout(both)).relu()))

    def attend(self, states: Tensor, segments: Tensor) -> Tensor:
        """Return attention weights (B, T, T): row i sums to 1 over the other definition's tokens.

        Rows of special tokens and padding are all zero. Arguments are those of ``forward``.
        """
        return self._weights(self._project(states), segments)

    def _project(self, states: Tensor) -> Tensor:
        return self.project(states).tanh()

    def _weights(self, projected: Tensor, segments: Tensor) -> Tensor:
        first, second = segments == FIRST, segments == SECOND
        across = first[:, :, None] & second[:, None, :] | second[:, :, None] & first[:, None, :]
        directions = nn.functional.normalize(projected, dim=-1)
        scores = _SHARPNESS * directions @ directions.transpose(1, 2)  # (B, T, T)
        weights = scores.masked_fill(~across, torch.finfo(scores.dtype).min).softmax(dim=-1)
        return weights * across


class AttentionPoolingHead(nn.Module):
    """Score each token with a learned query, average by those scores, then classify.

    Args:
        width: Encoder width D.
        head_width: Width W of the projection.
        num_classes: Number of classes C.
        dropout: Chance of dropping a pooled feature while training, in [0, 1).
    """

    def __init__(self, width: int, head_width: int, num_classes: int, dropout: float) -> None:
        super().__init__()
        self.project = nn.Linear(width, head_width)
        self.score = nn.Linear(head_width, 1)
        self.dropout = Dropout(dropout)
        self.classify = nn.Linear(head_width, num_classes)

    def forward(self, states: Tensor, segments: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Return logits (B, C) for states (B, T, D) and kinds of position (B, T)."""
        projected = self.project(states).tanh()  # (B, T, W)
        weights = pooling_weights(self.score(projected), segments)
        return self.classify(self.dropout(torch.einsum("bt,btw->bw", weights, projected)))

    def attend(self, states: Tensor, segments: Tensor) -> Tensor:
        """Return token weights (B, T): zero on padding, summing to 1 over T."""
        return pooling_weights(self.score(self.project(states).tanh()), segments)


class BiLstmAttentionHead(nn.Module):
    """Read the projected tokens in both directions, then pool them by attention.

    Args:
        width: Encoder width D.
        head_width: Width W of the projection, and of both directions' states together.
        num_classes: Number of classes C.
        dropout: Chance of dropping a feature while training, in [0, 1).
    """

    def __init__(self, width: int, head_width: int, num_classes: int, dropout: float) -> None:
        super().__init__()
        self.project = nn.Linear(width, head_width)
        self.lstm = nn.LSTM(head_width, head_width // 2, batch_first=True, bidirectional=True)
        self.score = nn.Linear(head_width, 1)
        self.dropout = Dropout(dropout)
        self.classify = nn.Linear(head_width, num_classes)

    def forward(self, states: Tensor, segments: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Return logits (B, C) for states (B, T, D) and kinds of position (B, T)."""
        read = self._read(states, segments, lengths)
        weights = pooling_weights(self.score(read), segments)
        return self.classify(self.dropout(torch.einsum("bt,btw->bw", weights, read)))

    def attend(self, states: Tensor, segments: Tensor) -> Tensor:
        """Return token weights (B, T): zero on padding, summing to 1 over T."""
        return pooling_weights(self.score(self._read(states, segments)), segments)

    def _read(self, states: Tensor, segments: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Return the LSTM's states (B, T, W); packing keeps padding out of both directions.

        ``pack_padded_sequence`` would copy the order that it sorts rows in to a GPU and wait.
        """
        counted = (segments != PADDING).sum(dim=1)  # (B,)
        order = counted.argsort(descending=True, stable=True)
        lengths = (counted.cpu() if lengths is None else lengths).sort(descending=True)[0]
        projected = self.dropout(self.project(states).tanh())
        packed = pack_padded_sequence(projected.index_select(0, order), lengths, batch_first=True)
        read, _ = pad_packed_sequence(
            self.lstm(packed)[0], batch_first=True, total_length=states.shape[1]
        )
        return read.index_select(0, order.argsort())


class MeanPoolingHead(nn.Module):
    """Average all tokens and classify: the baseline without attention.

    Args:
        width: Encoder width D.
        head_width: Width W of the projection.
        num_classes: Number of classes C.
        dropout: Chance of dropping a pooled feature while training, in [0, 1).
    """

    def __init__(self, width: int, head_width: int, num_classes: int, dropout: float) -> None:
        super().__init__()
        self.project = nn.Linear(width, head_width)
        self.dropout = Dropout(dropout)
        self.classify = nn.Linear(head_width, num_classes)

    def forward(self, states: Tensor, segments: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Return logits (B, C) for states (B, T, D) and kinds of position (B, T)."""
        projected = self.project(states).tanh()  # (B, T, W)
        return self.classify(self.dropout(masked_mean(projected, segments != PADDING)))


class FeatureBranch(nn.Module):
    """Classify from features of the pair; the logits are added to those of a head.

    Args:
        mean: Mean of each feature over the training split, (F,).
        scale: Standard deviation of each feature there, (F,); 0 is replaced by 1.
        head_width: Width W of the hidden layer.
        num_classes: Number of classes C.
        dropout: Chance of dropping a hidden feature while training, in [0, 1).
    """

    mean: Tensor
    scale: Tensor

    def __init__(
        self, mean: Tensor, scale: Tensor, head_width: int, num_classes: int, dropout: float
    ) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("scale", torch.where(scale > 0, scale, torch.ones_like(scale)))
        self.hide = nn.Linear(len(mean), head_width)
        self.dropout = Dropout(dropout)
        self.classify = nn.Linear(head_width, num_classes)

    def forward(self, features: Tensor) -> Tensor:
        """Return logits (B, C) for features (B, F), which are standardised here."""
        standard = (features - self.mean) / self.scale
        return self.classify(self.dropout(self.hide(standard).relu()))


HEADS = {
    "attention_pooling": AttentionPoolingHead,
    "bilstm_attention": BiLstmAttentionHead,
    "cross_attention": CrossAttentionHead,
    "mean_pooling": MeanPoolingHead,
}


def build_head(
    name: str, *, width: int, head_width: int = 128, num_classes: int = 2, dropout: float = 0.1
) -> nn.Module:
    """Return a head with random weights from torch's generator.

    Args:
        name: Key in ``HEADS``.
        width: Encoder width D.
        head_width: Width W of the first projection.
        num_classes: Number of classes C.
        dropout: Chance of dropping a feature while training, in [0, 1).

    Raises:
        ValueError: If no head has that name; the message lists those that exist.
    """
    if name not in HEADS:
        raise ValueError(f"unknown head {name!r}; choose one of {', '.join(sorted(HEADS))}")
    return HEADS[name](width, head_width, num_classes, dropout)


def pooling_weights(scores: Tensor, segments: Tensor) -> Tensor:
    """Return the softmax (B, T) of scores (B, T, 1) over all tokens but padding."""
    lowest = torch.finfo(scores.dtype).min
    return scores.squeeze(-1).masked_fill(segments == PADDING, lowest).softmax(dim=-1)


def masked_mean(states: Tensor, mask: Tensor) -> Tensor:
    """Return the mean (B, W) of states (B, T, W) where the bool mask (B, T) is true."""
    weights = mask.to(states.dtype)
    weights = weights / weights.sum(dim=1, keepdim=True)
    return torch.einsum("bt,btw->bw", weights, states)


def mean_and_max(states: Tensor, mask: Tensor) -> Tensor:
    """Return mean and maximum (B, 2W) of states (B, T, W) where the mask (B, T) is true."""
    lowest = torch.finfo(states.dtype).min
    largest = states.masked_fill(~mask[:, :, None], lowest).amax(dim=1)
    return torch.cat([masked_mean(states, mask), largest], dim=-1)
