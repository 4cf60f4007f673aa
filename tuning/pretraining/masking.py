"""Batches for masked-language-model training, each computed from its number alone.

No state is kept from one batch to the next, so that an interrupted training resumes with exactly
the batches that it would have had.

Shapes: B sequences in the batch, T tokens per sequence, V word pieces in the vocabulary, M masked
positions in the batch, N word pieces in the text.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

# share of the chosen positions; the rest keeps its word piece (Devlin et al., 2019)
_MASKED, _REPLACED = 0.8, 0.1
Part = tuple[Tensor, Tensor, Tensor, Tensor]  # as ``host_tensors`` returns it


@dataclass(frozen=True, kw_only=True, slots=True)
class Vocabulary:
    """The ids of a tokenizer that masking needs.

    Args:
        size: Number of ids V, from 0.
        start: Id of [CLS].
        separator: Id of [SEP].
        mask: Id of [MASK].
        special: True for special tokens, bool (V,).
        continues: True for word pieces that continue a word, bool (V,).
    """

    size: int
    start: int
    separator: int
    mask: int
    special: np.ndarray
    continues: np.ndarray


@dataclass(frozen=True, kw_only=True, slots=True)
class MaskedBatch:
    """Masked sequences, and what the encoder has to predict.

    Args:
        tokens: Ids after masking, int64 (B, T).
        chosen: True at the positions to predict, bool (B, T).
        targets: Original ids at these positions, row by row, int64 (M,).
        starts: Position of each sequence's first token among those of the encoder, int64 (B,).
    """

    tokens: np.ndarray
    chosen: np.ndarray
    targets: np.ndarray
    starts: np.ndarray


@dataclass(frozen=True, kw_only=True, slots=True)
class SequenceOptions:
    """How a text is cut into sequences and masked.

    Args:
        length: Tokens per sequence T; a sequence is [CLS] and T - 1 consecutive word pieces.
        positions: Number of positions of the encoder; a sequence lies anywhere among them.
        even_starts: Whether the first and last positions are trained as often as the others:
            where a start is drawn beyond an end, the sequence lies at that end.
        mask_fraction: Chance of choosing a word piece, or a word, in (0, 1).
        whole_words: Whether all pieces of a word are chosen together.
        seed: Seed of cuts, order, masks and starts.
    """

    length: int
    positions: int
    even_starts: bool
    mask_fraction: float
    whole_words: bool
    seed: int


class PackedText:
    """A text as sequences of equal length, without padding, cut differently in each epoch.

    Args:
        stream: Ids of all paragraphs in turn, with a separator after each, int (N,).
        vocabulary: Vocabulary of these ids.
        options: How the text is cut and masked.
    """

    def __init__(
        self, stream: np.ndarray, vocabulary: Vocabulary, options: SequenceOptions
    ) -> None:
        self.stream, self.vocabulary, self.options = stream, vocabulary, options
        self._order: tuple[int, np.ndarray] | None = None

    @property
    def length(self) -> int:
        """Return the number of tokens per sequence T."""
        return self.options.length

    @property
    def sequences(self) -> int:
        """Return the number of sequences in an epoch; not positive if the text is too short."""
        step = self.length - 1
        return (len(self.stream) - step) // step  # one less, so that any cut has room

    def batch(self, number: int, size: int) -> MaskedBatch:
        """Return the batch with this number; every epoch has its own cut and order.

        Args:
            number: Number of the optimizer step, from 0.
            size: Sequences in the batch B, at most ``sequences``.
        """
        epoch, position = divmod(number, self.sequences // size)
        cut = int(np.random.default_rng([self.options.seed, 1, epoch]).integers(self.length - 1))
        rows = self._shuffled(epoch)[position * size : (position + 1) * size]
        draw = np.random.default_rng([self.options.seed, 2, number])
        return self._mask(self._gather(rows, cut), draw)

    def in_order(self, size: int, sequences: int) -> Iterator[MaskedBatch]:
        """Yield batches of the first sequences, always the same, to score on.

        Args:
            size: Sequences in a batch B; the last batch may have fewer.
            sequences: Number of sequences; all of the text if it has fewer.
        """
        count = min(sequences, self.sequences)
        draw = np.random.default_rng([self.options.seed, 3])
        rows = np.arange(count)
        for first in range(0, count, size):
            yield self._mask(self._gather(rows[first : first + size], 0), draw)

    def _shuffled(self, epoch: int) -> np.ndarray:
        if self._order is None or self._order[0] != epoch:
            draw = np.random.default_rng([self.options.seed, 0, epoch])
            self._order = epoch, draw.permutation(self.sequences)
        return self._order[1]

    def _gather(self, rows: np.ndarray, cut: int) -> np.ndarray:
        """Return the ids of these sequences, int64 (B, T)."""
        step = self.length - 1
        positions = cut + rows[:, None] * step + np.arange(step)
        tokens = np.full((len(rows), self.length), self.vocabulary.start, dtype=np.int64)
        tokens[:, 1:] = self.stream[positions]
        return tokens

    def _mask(self, tokens: np.ndarray, draw: np.random.Generator) -> MaskedBatch:
        chosen = self._choose(tokens, draw)
        targets = tokens[chosen]
        lots = draw.random(len(targets))
        shown = targets.copy()
        shown[lots < _MASKED] = self.vocabulary.mask
        replaced = (lots >= _MASKED) & (lots < _MASKED + _REPLACED)
        shown[replaced] = draw.integers(self.vocabulary.size, size=int(replaced.sum()))
        masked = tokens.copy()
        masked[chosen] = shown
        starts = self._starts(len(tokens), draw)
        return MaskedBatch(tokens=masked, chosen=chosen, targets=targets, starts=starts)

    def _starts(self, count: int, draw: np.random.Generator) -> np.ndarray:
        """Return the position of the first token of each sequence, int64 (B,)."""
        last = self.options.positions - self.length
        beyond = self.length - 1 if self.options.even_starts else 0
        return np.clip(draw.integers(-beyond, last + beyond + 1, size=count), 0, last)

    def _choose(self, tokens: np.ndarray, draw: np.random.Generator) -> np.ndarray:
        """Return the positions to predict, bool (B, T): at least one, and no special token."""
        lots = draw.random(tokens.shape)
        if self.options.whole_words:
            begins = ~self.vocabulary.continues[tokens]
            begins[:, 0] = True
            words = np.maximum.accumulate(np.where(begins, np.arange(self.length), 0), axis=1)
            lots = np.take_along_axis(lots, words, axis=1)  # a word has the lot of its first piece
        usable = ~self.vocabulary.special[tokens]
        chosen = (lots < self.options.mask_fraction) & usable
        if not chosen.any():
            chosen.flat[np.where(usable, lots, np.inf).argmin()] = True
        return chosen


def split(batch: MaskedBatch, size: int) -> Iterator[MaskedBatch]:
    """Yield the batch in parts of at most ``size`` sequences, in order."""
    ends = np.cumsum(batch.chosen.sum(axis=1))
    for first in range(0, len(batch.tokens), size):
        rows = slice(first, first + size)
        before = int(ends[first - 1]) if first else 0
        after = int(ends[min(first + size, len(ends)) - 1])
        yield MaskedBatch(
            tokens=batch.tokens[rows],
            chosen=batch.chosen[rows],
            targets=batch.targets[before:after],
            starts=batch.starts[rows],
        )


def host_tensors(batch: MaskedBatch, *, pinned: bool) -> Part:
    """Return tokens (B, T), starts (B,), chosen positions of all tokens (M,) and targets (M,).

    Args:
        batch: Masked sequences.
        pinned: Whether to put them where a GPU can copy from while the host goes on.
    """
    arrays = (batch.tokens, batch.starts, np.flatnonzero(batch.chosen), batch.targets)
    tokens, starts, chosen, targets = (torch.from_numpy(array) for array in arrays)
    if not pinned:
        return tokens, starts, chosen, targets
    return tokens.pin_memory(), starts.pin_memory(), chosen.pin_memory(), targets.pin_memory()
