"""The predictor: from two texts to the probability that they say the same, by one or more models.

Shapes: N pairs, B rows in a batch, T tokens of its longest row, F overlap features, M members.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from measures.overlap import overlap_features
from models.batches import Batch, RowReader, sorted_batches
from models.checkpoint import encoding_of, load_classifier, read_card
from models.classifier import Classifier, run_frozen, storage_type, to_probabilities
from models.cleaning import clean
from models.cosine import mean_cosine
from models.encoder_files import EncoderError, read_encoder_info
from models.ensemble import find_saved, require_alike
from models.pair_checks import PairError, check_lengths, check_texts
from models.precision import choose_device
from models.state_writer import StateWriter
from models.tokens import (
    Encoding,
    TokenTable,
    build_table,
    check_ids,
    encode_texts,
    load_tokenizer,
    shorten,
    shorten_each,
)
from models.word_pieces import pair_pieces

Row = tuple[list[int], list[int]]  # ids of the word pieces of both texts of a pair
_LOG = logging.getLogger(__name__)
_TOKENS_PER_BATCH = {"cpu": 4096, "cuda": 65536}  # as in the activation cache
_SHARED_TOKENS = (
    32768  # of different texts whose states are kept at once: 100 MB at a width of 768
)


class Predictor:
    """Predicts by the mean of its members' probabilities, computed as their scores were.

    ``lower`` is the frozen layers, which run once for all members; None if there are none. A pair
    whose probability is at least ``threshold`` counts as a paraphrase.

    Args:
        folder: Folder of a saved model, as in ``models.ensemble.find_saved``.
        encoders: Folders that may hold its encoder, beside those near it.

    Raises:
        CheckpointError, EncoderError: If the model cannot be loaded, or its members differ
            in what they read.
    """

    def __init__(self, folder: Path, encoders: Iterable[Path] = ()) -> None:
        saved = find_saved(folder, encoders)
        cards = [read_card(member) for member in saved.members]
        self.encoding: Encoding = encoding_of(cards[0])
        require_alike(folder, cards)
        self.saved = saved
        self.threshold = saved.threshold
        self.card = cards[0]
        self.device = choose_device()
        self._members = [load_classifier(member, saved.encoder) for member in saved.members]
        self.lower = self._members[0].lower
        for member in self._members:
            member.lower = None  # it is the same for all, and run before them
            member.to(self.device)
        if self.lower is not None:
            self.lower.to(self.device)
        self._encoder = read_encoder_info(saved.encoder)
        self._tokenizer, self._special = load_tokenizer(self._encoder.folder)

    @property
    def members(self) -> list[Classifier]:
        """Return the classifiers; their inputs are the states of ``lower`` if there is one."""
        return self._members

    def predict(
        self,
        firsts: Sequence[str],
        seconds: Sequence[str],
        advance: Callable[[int], object] = lambda rows: None,
    ) -> np.ndarray:
        """Return the probability that the texts of each pair say the same, float64 (N,).

        Args:
            firsts: N texts, not cleaned.
            seconds: N texts, one for each of ``firsts``.
            advance: Called with the number of rows that are ready since its last call.

        Raises:
            PairError: If a value is no text, empty, or longer than the encoder takes.
        """
        if not len(firsts):
            return np.empty(0)
        table, features = self.prepare(firsts, seconds)
        reader = RowReader(table, self._states_of_texts(table), self.device, features)
        outputs, positions = [], []
        for rows in sorted_batches(table.lengths, _TOKENS_PER_BATCH[self.device.type]):
            batch = reader.read(rows)
            outputs.append(self.logits(batch))
            positions.append(batch.rows)
            advance(len(rows))
        logits = torch.cat(outputs, dim=1)[:, torch.cat(positions).argsort()]  # (M, rows, 2)
        logits = logits.unflatten(1, (-1, table.pairs)).mean(dim=1).cpu().numpy()  # (M, N, 2)
        return np.mean([to_probabilities(member) for member in logits], axis=0)

    def prepare(
        self, firsts: Sequence[str], seconds: Sequence[str]
    ) -> tuple[TokenTable, np.ndarray | None]:
        """Return the token table of the pairs, and their overlap features (N, F) or None.

        Features are computed only if the members were trained with them.

        Raises:
            PairError: If a value is no text, empty, longer than the encoder takes, or has a word
                piece that it does not embed.
        """
        check_texts(firsts, seconds)
        data = self.card["data"]
        cleaned = [
            [clean(text, data["cleaning"]) for text in texts] for texts in (firsts, seconds)
        ]
        ids = [encode_texts(self._tokenizer, texts) for texts in cleaned]
        longest, cut_to = self._encoder.max_tokens, data["max_tokens"]
        alone = longest - self._special.of_text
        check_lengths((firsts, seconds), ids, alone, cut=cut_to is not None)
        limit = min(cut_to or longest, longest)
        rows = self._shorten(ids, limit)
        pairs = len(rows)
        if self.card["trial"]["both_orders"]:
            rows += [(b, a) for a, b in rows]
        features = overlap_features(*cleaned) if self.uses("overlap_features") else None
        table = build_table(rows, self._special, pairs, self.encoding)
        try:
            check_ids(table.tokens, self._tokenizer, self._encoder)
        except EncoderError as error:
            row = table.row_of(int(table.tokens.argmax()))
            raise PairError([(row % pairs + 1, str(error))]) from error
        return table, features

    def _shorten(
        self, ids: list[list[list[int]]], limit: int
    ) -> list[tuple[list[int], list[int]]]:
        """Return the word pieces of both texts of each pair, cut to rows of ``limit`` tokens."""
        if self.encoding == "pair":
            room, shortened = limit - self._special.of_pair, shorten
        else:
            room, shortened = limit - self._special.of_text, shorten_each
        rows = [shortened(a, b, room) for a, b in zip(*ids, strict=True)]
        whole = zip(rows, *ids, strict=True)
        cut = sum(len(a) + len(b) < len(first) + len(second) for (a, b), first, second in whole)
        if cut:
            unit = "" if self.encoding == "pair" else " a text"
            _LOG.warning("%d of %d pairs are cut to %d word pieces%s", cut, len(rows), limit, unit)
        return rows

    @torch.no_grad()
    def logits(self, batch: Batch) -> Tensor:
        """Return the logits of each member, (M, B, 2)."""
        inputs = self._encode(batch)
        features = self.add_cosine(batch.features, inputs, batch.segments)
        tensors = (inputs, batch.segments, features, batch.lengths)
        return torch.stack([member(*tensors) for member in self._members])

    def add_cosine(
        self, features: Tensor | None, states: Tensor, segments: Tensor
    ) -> Tensor | None:
        """Return the features that the members take: with the texts' cosine if they use it.

        Args:
            features: Overlap features of the pairs, float (B, F), or None.
            states: States of the frozen layers, float (B, T, D), or (B, T, 2 * D) with the
                highest layer's last.
            segments: Kinds of position from ``models.segments``, int (B, T).
        """
        if not self.uses("cosine_feature"):
            return features
        cosine = mean_cosine(states[..., -self._encoder.width :], segments)
        return cosine if features is None else torch.cat([features, cosine], dim=1)

    @property
    def parameters(self) -> int:
        """Return the number of weights in the encoder's layers, of all members together."""
        lower = [] if self.lower is None else [self.lower]
        parts = [*lower, *(member.upper for member in self._members)]
        return sum(weight.numel() for part in parts for weight in part.layers.parameters())

    def uses(self, field: str) -> bool:
        """Return whether the members were trained with the features of this field of a trial."""
        if self._members[0].branch is None:
            return False
        older = field == "overlap_features"  # what a branch of an earlier version was for
        return bool(self.card["trial"].get(field, older))

    def _states_of_texts(self, table: TokenTable) -> np.ndarray | None:
        """Return the frozen states of each different text, which rows then share; None if none do.

        Many texts are run row by row, so that memory does not grow with their number.
        """
        if self.lower is None or table.members is None or len(table.tokens) > _SHARED_TOKENS:
            return None
        texts, precision = table.sequences, self._members[0].frozen_precision
        reader = RowReader(texts, None, self.device)
        with StateWriter(texts, self.device) as writer:
            for rows in sorted_batches(texts.lengths, _TOKENS_PER_BATCH[self.device.type]):
                states = self._encode(reader.read(rows))
                writer.write(rows, states.to(storage_type(precision)))
        return writer.states

    def _encode(self, batch: Batch) -> Tensor:
        if self.lower is None or batch.inputs.is_floating_point():
            return batch.inputs
        precision = self._members[0].frozen_precision
        return run_frozen(self.lower, batch.inputs, batch.segments, precision)

    @torch.no_grad()
    def attend(self, first: str, second: str) -> tuple[list[str], np.ndarray, np.ndarray] | None:
        """Return T word pieces, their kinds of position (T,), and the head's attention weights.

        The weights are the mean over the members: (T,) for a head that pools, (T, T) for one that
        aligns. Return None if a head does not attend.

        Raises:
            PairError: If a value is no text, empty, or longer than the encoder takes.
        """
        if not all(hasattr(member.head, "attend") for member in self._members):
            return None
        table, features = self.prepare([first], [second])
        batch = RowReader(table, None, self.device, features).read(np.array([0]))
        inputs = self._encode(batch)
        found = [member.attend(inputs, batch.segments)[0] for member in self._members]
        tokens, segments = table.row(0)
        cleaned = [clean(text, self.card["data"]["cleaning"]) for text in (first, second)]
        pair = cleaned[0], cleaned[1]
        pieces = pair_pieces(self._tokenizer, pair, tokens, segments)
        return pieces, segments, torch.stack(found).mean(dim=0).cpu().numpy()
