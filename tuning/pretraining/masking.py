"""Batches for masked-language-model training, each made from its number alone.

Nothing is kept from one batch to the next: training that was cut off goes on with the batch that
comes next, and gets the one that it would have got.

Shapes: B sequences in the batch, T tokens per sequence.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

_MASKED, _REPLACED = 0.8, 0.1  # of the chosen positions; the rest stays (Devlin et al., 2019)


@dataclass(frozen=True, kw_only=True, slots=True)
class Vocabulary:
    """What masking needs to know of a tokenizer: ids, and which pieces continue a word (V,)."""

    size: int
    start: int
    separator: int
    mask: int
    special: np.ndarray
    continues: np.ndarray


@dataclass(frozen=True, kw_only=True, slots=True)
class MaskedBatch:
    """Sequences to restore: ids after masking (B, T), where they were chosen (B, T), what stood
    at those positions (M,), and the position of each sequence's first token (B,)."""

    tokens: np.ndarray
    chosen: np.ndarray
    targets: np.ndarray
    starts: np.ndarray


class PackedText:
    """A stream of word pieces as sequences of equal length, without padding, cut anew each epoch.

    Args:
        stream: Ids, paragraphs one after another with a separator behind each, int (N,).
        vocabulary: Of these ids.
        length: T; a sequence is [CLS] and T - 1 consecutive pieces of the stream.
        positions: That the encoder has; sequences lie anywhere among them.
        even_starts: Whether the first and the last positions are trained as often as those
            between: where a start is drawn beyond an end, the sequence lies at that end.
        mask_fraction: Chance of choosing a piece, or a word.
        whole_words: Whether all pieces of a word are chosen together.
        seed: Of cuts, order, masks and starts.
    """

    def __init__(
        self,
        stream: np.ndarray,
        vocabulary: Vocabulary,
        *,
        length: int,
        positions: int,
        even_starts: bool,
        mask_fraction: float,
        whole_words: bool,
        seed: int,
    ) -> None:
        self.stream, self.vocabulary, self.length = stream, vocabulary, length
        self.last_start = positions - length
        self._beyond = length - 1 if even_starts else 0
        self.mask_fraction, self.whole_words, self.seed = mask_fraction, whole_words, seed
        self._order: tuple[int, np.ndarray] | None = None

    @property
    def sequences(self) -> int:
        """Return how many there are in an epoch."""
        step = self.length - 1
        return (len(self.stream) - step) // step  # one less, so that any cut has room

    def batch(self, number: int, size: int) -> MaskedBatch:
        """Return the batch with this number, from 0; every epoch has its own cut and order.

        Args:
            number: Of the optimizer step.
            size: B; at most ``sequences``.
        """
        epoch, position = divmod(number, self.sequences // size)
        cut = int(np.random.default_rng([self.seed, 1, epoch]).integers(self.length - 1))
        rows = self._shuffled(epoch)[position * size : (position + 1) * size]
        draw = np.random.default_rng([self.seed, 2, number])
        return self._mask(self._gather(rows, cut), draw)

    def in_order(self, size: int, sequences: int) -> Iterator[MaskedBatch]:
        """Yield batches of the first ``sequences``, or all, always the same: to score on."""
        count = min(sequences, self.sequences)
        draw = np.random.default_rng([self.seed, 3])
        rows = np.arange(count)
        for first in range(0, count, size):
            yield self._mask(self._gather(rows[first : first + size], 0), draw)

    def _shuffled(self, epoch: int) -> np.ndarray:
        if self._order is None or self._order[0] != epoch:
            draw = np.random.default_rng([self.seed, 0, epoch])
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
        lot = draw.random(len(targets))
        shown = targets.copy()
        shown[lot < _MASKED] = self.vocabulary.mask
        other = (lot >= _MASKED) & (lot < _MASKED + _REPLACED)
        shown[other] = draw.integers(self.vocabulary.size, size=int(other.sum()))
        masked = tokens.copy()
        masked[chosen] = shown
        beyond, last = self._beyond, self.last_start
        drawn = draw.integers(-beyond, last + beyond + 1, size=len(tokens))
        starts = np.clip(drawn, 0, last)
        return MaskedBatch(tokens=masked, chosen=chosen, targets=targets, starts=starts)

    def _choose(self, tokens: np.ndarray, draw: np.random.Generator) -> np.ndarray:
        """Return the positions to restore, bool (B, T): no special token, at least one."""
        lots = draw.random(tokens.shape)
        if self.whole_words:
            begins = ~self.vocabulary.continues[tokens]
            begins[:, 0] = True
            words = np.maximum.accumulate(np.where(begins, np.arange(self.length), 0), axis=1)
            lots = np.take_along_axis(lots, words, axis=1)  # a word has the lot of its first piece
        usable = ~self.vocabulary.special[tokens]
        chosen = (lots < self.mask_fraction) & usable
        if not chosen.any():
            chosen.flat[np.where(usable, lots, np.inf).argmin()] = True
        return chosen
