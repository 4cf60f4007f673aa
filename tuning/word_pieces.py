"""WordPiece vocabularies: train one on text, write it as a tokenizer, turn text into a stream."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from tokenizers.trainers import WordPieceTrainer

from models.encoder_files import TOKENIZER, EncoderError
from tuning.corpus import CorpusError
from tuning.masking import Vocabulary
from tuning.whole_files import whole

PADDING, UNKNOWN, START, SEPARATOR, MASK = SPECIAL = "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"
_CONTINUES = "##"
_TOGETHER = 4096  # paragraphs that are encoded in one call: memory stays flat


def train_word_pieces(paragraphs: Iterable[str], size: int) -> Tokenizer:
    """Return a lower-casing WordPiece tokenizer (Schuster and Nakajima, 2012) of this text.

    Args:
        paragraphs: The text.
        size: Word pieces, special tokens among them.

    Raises:
        CorpusError: If the text has not so many.
    """
    tokenizer = Tokenizer(models.WordPiece(unk_token=UNKNOWN))  # pyright: ignore[reportCallIssue]
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    trainer = WordPieceTrainer(vocab_size=size, special_tokens=list(SPECIAL), show_progress=False)
    tokenizer.train_from_iterator(paragraphs, trainer)
    found = tokenizer.get_vocab_size()
    if found != size:
        what = "has no more" if found < size else "has more characters than that"
        raise CorpusError(
            f"vocabulary: must be what the text supports, {found} word pieces, got {size}: "
            f"the text {what}; change it in the recipe, or give more text"
        )
    # the trainer numbers pieces of equal frequency differently each time: here they are sorted
    pieces = [*SPECIAL, *sorted(tokenizer.get_vocab().keys() - set(SPECIAL))]
    numbers = {piece: number for number, piece in enumerate(pieces)}
    tokenizer.model = models.WordPiece(numbers, unk_token=UNKNOWN)  # pyright: ignore[reportCallIssue]
    marks = [(name, tokenizer.token_to_id(name)) for name in (START, SEPARATOR)]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{START} $A {SEPARATOR}",
        pair=f"{START} $A {SEPARATOR} $B:1 {SEPARATOR}:1",
        special_tokens=marks,
    )
    return tokenizer


def save_tokenizer(folder: Path, tokenizer: Tokenizer, positions: int) -> None:
    """Write the tokenizer as transformers loads it.

    Args:
        folder: Of the encoder; exists.
        tokenizer: From ``train_word_pieces``.
        positions: Longest sequence that the encoder takes.
    """
    tokenizer.save(str(folder / TOKENIZER))
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
    (folder / "tokenizer_config.json").write_text(text, encoding="utf-8")


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
        with whole(path) as beside, beside.open("wb") as file:
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
