"""WordPiece tokenizers: training one on text, saving it, and encoding text as a stream of ids."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from tokenizers.trainers import WordPieceTrainer

from models.encoder_files import TOKENIZER, EncoderError
from tuning.pretraining.corpus import CorpusError
from tuning.pretraining.masking import Vocabulary
from tuning.system.atomic_files import atomic_write, atomic_write_bytes

PADDING, UNKNOWN, START, SEPARATOR, MASK = "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"
SPECIAL = (PADDING, UNKNOWN, START, SEPARATOR, MASK)
TOKENIZER_CONFIG = "tokenizer_config.json"
_CONTINUES = "##"  # begins a word piece that continues a word
_PARAGRAPHS_PER_CALL = 4096  # encoded together, so that memory does not grow with the text


def train_word_pieces(text: Callable[[], Iterable[str]], size: int) -> Tokenizer:
    """Return a lower-casing WordPiece tokenizer (Schuster and Nakajima, 2012) for this text.

    The same text always makes the same tokenizer.

    Args:
        text: Function that returns the paragraphs; it is called twice.
        size: Number of word pieces, with the special tokens.

    Raises:
        CorpusError: If the text has fewer word pieces, or more characters than that.
    """
    # The trainer numbers pieces that continue a word in random order, and chooses among equally
    # frequent pieces by number. A first pass without merges finds them, to fix their numbers.
    letters = _train(text(), 1, []).get_vocab().keys() - set(SPECIAL)
    continuing = sorted(piece for piece in letters if piece.startswith(_CONTINUES))
    found = _train(text(), size, continuing).get_vocab().keys() - set(SPECIAL)
    count = len(found) + len(SPECIAL)
    if count != size:
        reason = "has no more" if count < size else "has more characters than that"
        raise CorpusError(
            f"vocabulary: must be what the text supports, {count} word pieces, got {size}: "
            f"the text {reason}; change it in the recipe, or add text"
        )
    numbers = {piece: number for number, piece in enumerate([*SPECIAL, *sorted(found)])}
    return _make_tokenizer(models.WordPiece(numbers, unk_token=UNKNOWN))  # pyright: ignore[reportCallIssue]


def _train(paragraphs: Iterable[str], size: int, first: list[str]) -> Tokenizer:
    """Return a tokenizer trained on the text, with the ``first`` pieces numbered before others."""
    tokenizer = _make_tokenizer(models.WordPiece(unk_token=UNKNOWN))  # pyright: ignore[reportCallIssue]
    trainer = WordPieceTrainer(
        vocab_size=size, special_tokens=[*SPECIAL, *first], show_progress=False
    )
    tokenizer.train_from_iterator(paragraphs, trainer)
    return tokenizer


def _make_tokenizer(model: models.WordPiece) -> Tokenizer:
    """Return a tokenizer that works like BERT's uncased ones, around this model."""
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    if tokenizer.token_to_id(START) is None:  # before it is trained
        return tokenizer
    tokenizer.add_special_tokens(list(SPECIAL))
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{START} $A {SEPARATOR}",
        pair=f"{START} $A {SEPARATOR} $B:1 {SEPARATOR}:1",
        special_tokens=[(name, tokenizer.get_vocab()[name]) for name in (START, SEPARATOR)],
    )
    return tokenizer


def save_tokenizer(folder: Path, tokenizer: Tokenizer, positions: int) -> None:
    """Write the tokenizer in the form that transformers loads.

    Args:
        folder: Folder of the encoder; it must exist.
        tokenizer: Tokenizer from ``train_word_pieces``.
        positions: Longest sequence that the encoder takes, in tokens.

    Raises:
        DiskError: If the disk is full or cannot be written.
    """
    atomic_write_bytes(folder / TOKENIZER, tokenizer.to_str(pretty=True).encode())
    names = ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token")
    config = {
        "backend": "tokenizers",
        "tokenizer_class": "BertTokenizer",
        "do_lower_case": True,
        "strip_accents": None,
        "tokenize_chinese_chars": True,
        "model_max_length": positions,
        **dict(zip(names, SPECIAL, strict=True)),
    }
    text = json.dumps(config, indent=2) + "\n"
    atomic_write_bytes(folder / TOKENIZER_CONFIG, text.encode())


def vocabulary_of(tokenizer: Tokenizer) -> Vocabulary:
    """Return the ids of a tokenizer that masking needs.

    Raises:
        EncoderError: If the tokenizer lacks a special token.
    """
    pieces = tokenizer.get_vocab()
    absent = [name for name in SPECIAL if name not in pieces]
    if absent:
        raise EncoderError(
            f"{TOKENIZER}: must have the token {absent[0]}, like the tokenizers of BERT"
        )
    size = max(pieces.values()) + 1
    continues, special = np.zeros((2, size), dtype=bool)
    for piece, number in pieces.items():
        continues[number] = piece.startswith(_CONTINUES)
    special[[pieces[name] for name in SPECIAL]] = True
    return Vocabulary(
        size=size,
        start=pieces[START],
        separator=pieces[SEPARATOR],
        mask=pieces[MASK],
        special=special,
        continues=continues,
    )


def encode_stream(parts: Iterable[str], tokenizer: Tokenizer, path: Path) -> np.ndarray:
    """Return the word pieces of all parts, with a separator after each, mapped from a file.

    Args:
        parts: Paragraphs, or the definitions of pairs; they are read only if the file is absent.
        tokenizer: Tokenizer of the encoder.
        path: File of the ids; it is written whole if it is absent, else read.

    Returns:
        Ids, uint16 (N,), or uint32 for a tokenizer with more than 65,536 word pieces.

    Raises:
        DiskError: If the disk is full or cannot be written.
    """
    small = tokenizer.get_vocab_size() <= np.iinfo(np.uint16).max + 1
    number_type = np.uint16 if small else np.uint32
    if not path.exists():
        with atomic_write(path) as beside, beside.open("wb") as file:
            for ids in _encoded(iter(parts), tokenizer):
                file.write(np.array(ids, dtype=number_type).tobytes())
    if not path.stat().st_size:
        return np.zeros(0, dtype=number_type)
    return np.memmap(path, dtype=number_type, mode="r")


def _encoded(parts: Iterator[str], tokenizer: Tokenizer) -> Iterator[list[int]]:
    separator = tokenizer.get_vocab()[SEPARATOR]
    while batch := list(itertools.islice(parts, _PARAGRAPHS_PER_CALL)):
        for found in tokenizer.encode_batch_fast(batch, add_special_tokens=False):
            yield [*found.ids, separator]
