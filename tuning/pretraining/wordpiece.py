"""WordPiece vocabularies: train one on text, write it as a tokenizer, turn text into a stream."""

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

PADDING, UNKNOWN, START, SEPARATOR, MASK = SPECIAL = "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"
TOKENIZER_CONFIG = "tokenizer_config.json"
_CONTINUES = "##"
_TOGETHER = 4096  # paragraphs that are encoded in one call: memory stays flat


def train_word_pieces(text: Callable[[], Iterable[str]], size: int) -> Tokenizer:
    """Return a lower-casing WordPiece tokenizer (Schuster and Nakajima, 2012) of this text.

    Args:
        text: Gives the paragraphs, each time it is called.
        size: Word pieces, special tokens among them.

    Raises:
        CorpusError: If the text has not so many.
    """
    # the trainer numbers what continues a word as it meets it, in an order of chance, and chooses
    # among equally frequent pieces by number: a first pass without merges fixes these numbers
    letters = _train(text(), 1, []).get_vocab().keys() - set(SPECIAL)
    continuing = sorted(piece for piece in letters if piece.startswith(_CONTINUES))
    found = _train(text(), size, continuing).get_vocab().keys() - set(SPECIAL)
    count = len(found) + len(SPECIAL)
    if count != size:
        what = "has no more" if count < size else "has more characters than that"
        raise CorpusError(
            f"vocabulary: must be what the text supports, {count} word pieces, got {size}: "
            f"the text {what}; change it in the recipe, or give more text"
        )
    numbers = {piece: number for number, piece in enumerate([*SPECIAL, *sorted(found)])}
    return _make_tokenizer(models.WordPiece(numbers, unk_token=UNKNOWN))  # pyright: ignore[reportCallIssue]


def _train(paragraphs: Iterable[str], size: int, first: list[str]) -> Tokenizer:
    """Return what the trainer makes of the text, these pieces being numbered first."""
    tokenizer = _make_tokenizer(models.WordPiece(unk_token=UNKNOWN))  # pyright: ignore[reportCallIssue]
    trainer = WordPieceTrainer(
        vocab_size=size, special_tokens=[*SPECIAL, *first], show_progress=False
    )
    tokenizer.train_from_iterator(paragraphs, trainer)
    return tokenizer


def _make_tokenizer(model: models.WordPiece) -> Tokenizer:
    """Return a tokenizer as BERT's uncased ones are."""
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
    """Write the tokenizer as transformers loads it.

    Args:
        folder: Of the encoder; exists.
        tokenizer: From ``train_word_pieces``.
        positions: Longest sequence that the encoder takes.

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
    """Return what masking needs to know.

    Raises:
        EncoderError: If the tokenizer lacks a special token.
    """
    pieces = tokenizer.get_vocab()
    absent = [name for name in SPECIAL if name not in pieces]
    if absent:
        raise EncoderError(f"{TOKENIZER}: must have the token {absent[0]}, as BERT's have")
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
    """Return the word pieces of all parts, a separator behind each, int (N,), mapped from a file.

    Args:
        parts: Paragraphs, or the definitions of pairs.
        tokenizer: Of the encoder.
        path: Of the file, whole or absent; one that is there is read.

    Raises:
        DiskError: If the disk is full or cannot be written.
    """
    if not path.exists():
        small = tokenizer.get_vocab_size() <= np.iinfo(np.uint16).max + 1
        with atomic_write(path) as beside, beside.open("wb") as file:
            for ids in _encoded(iter(parts), tokenizer):
                file.write(np.array(ids, dtype=np.uint16 if small else np.uint32).tobytes())
    small = tokenizer.get_vocab_size() <= np.iinfo(np.uint16).max + 1
    if not path.stat().st_size:
        return np.zeros(0, dtype=np.uint16)
    return np.memmap(path, dtype=np.uint16 if small else np.uint32, mode="r")


def _encoded(parts: Iterator[str], tokenizer: Tokenizer) -> Iterator[list[int]]:
    separator = tokenizer.get_vocab()[SEPARATOR]
    while batch := list(itertools.islice(parts, _TOGETHER)):
        for found in tokenizer.encode_batch_fast(batch, add_special_tokens=False):
            yield [*found.ids, separator]
