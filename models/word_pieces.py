"""Word pieces as a reader sees them: cut out of the text, with ## before what continues a word."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from tokenizers import Encoding, Tokenizer
from tokenizers.models import WordLevel, WordPiece

from models.segments import FIRST, SECOND

CONTINUATION = "##"  # the prefix of a piece that continues a word, as in BERT
SPACE = "\u2581"  # the space in front of a word, where it is a piece of its own


def read_pieces(tokenizer: Tokenizer, texts: Sequence[str]) -> list[list[str]]:
    """Return the readable word pieces of each text, without special tokens.

    Pieces of BERT's tokenizers are readable as they are. Those of byte-level and SentencePiece
    tokenizers are replaced by the part of the text that they stand for.
    """
    encoded = tokenizer.encode_batch(list(texts), add_special_tokens=False)
    if isinstance(tokenizer.model, (WordLevel, WordPiece)):
        return [each.tokens for each in encoded]
    return [_cut_out(text, each) for text, each in zip(texts, encoded, strict=True)]


def _cut_out(text: str, encoded: Encoding) -> list[str]:
    pieces, end, word = [], -1, None
    for (start, stop), index in zip(encoded.offsets, encoded.word_ids, strict=True):
        shown = SPACE.join(text[start:stop].split())
        if start < end:  # one more byte of a character that is shown already
            pieces.append(CONTINUATION)
            continue
        beside = 0 < start == end and index == word and text[start - 1 : start + 1].isalnum()
        joined = beside or pieces[-1:] == [SPACE]
        pieces.append(f"{CONTINUATION}{shown}" if joined and shown else shown or SPACE)
        end, word = stop, index
    return pieces


def pair_pieces(
    tokenizer: Tokenizer, pair: tuple[str, str], tokens: np.ndarray, segments: np.ndarray
) -> list[str]:
    """Return the readable word piece of each token of a pair, T texts.

    Args:
        tokenizer: Tokenizer that the tokens are from.
        pair: Texts in the order of the tokens; the tokens may be of their beginnings alone.
        tokens: Token ids with the special tokens, int (T,).
        segments: Kinds of position from ``models.segments``, int (T,).
    """
    pieces = [tokenizer.id_to_token(int(token)) or "" for token in tokens]
    for kind, found in zip((FIRST, SECOND), read_pieces(tokenizer, pair), strict=True):
        for position, piece in zip(np.flatnonzero(segments == kind), found, strict=False):
            pieces[position] = piece
    return pieces
