"""The tokenizer of an encoder that has ``vocab.txt`` alone, as the first ones of BERT had."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.processors import TemplateProcessing

from models.encoder_files import TOKENIZER_CONFIG, VOCABULARY, EncoderError, read_json


def read_vocabulary(folder: Path) -> Tokenizer:
    """Return a tokenizer of the word pieces in ``vocab.txt``, one a line.

    ``tokenizer_config.json`` may say whether text becomes lower case (it does, unless the
    vocabulary has capital letters, which makes it necessary to say), and name special tokens.

    Raises:
        EncoderError: If a file cannot be read or used, lacks a special token, or leaves the case
            open.
    """
    path = folder / VOCABULARY
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except ValueError as error:
        raise EncoderError(f"{path}: is not UTF-8 text: {error}") from error
    pieces = {line.rstrip("\r"): number for number, line in enumerate(lines) if line.rstrip("\r")}
    named = folder / TOKENIZER_CONFIG
    options = read_json(named) if named.is_file() else {}
    try:
        return _build_tokenizer(pieces, options, folder)
    except EncoderError:
        raise
    except (TypeError, ValueError) as error:  # of the library, for a value of the wrong kind
        raise EncoderError(f"{named}: cannot be used: {error}") from error


def _build_tokenizer(pieces: dict[str, int], options: dict[str, Any], folder: Path) -> Tokenizer:
    unknown = _name_of(options, "unk_token", "[UNK]")
    roberta = "<s>" in pieces and "</s>" in pieces  # MPNet takes pairs as RoBERTa does
    start = _name_of(options, "cls_token", "<s>" if roberta else "[CLS]")
    end = _name_of(options, "sep_token", "</s>" if roberta else "[SEP]")
    absent = [name for name in (unknown, start, end) if name not in pieces]
    if absent:
        raise EncoderError(f"{folder / VOCABULARY}: must have the token {absent[0]}")
    tokenizer = Tokenizer(WordPiece(pieces, unk_token=unknown, max_input_chars_per_word=100))
    tokenizer.normalizer = BertNormalizer(
        clean_text=True,
        handle_chinese_chars=bool(options.get("tokenize_chinese_chars", True)),
        strip_accents=options.get("strip_accents"),
        lowercase=_lower_case(options, pieces, {unknown, start, end}, folder),
    )
    tokenizer.pre_tokenizer = BertPreTokenizer()
    marks = [name for name in ("[PAD]", "[MASK]", "<pad>", "<mask>") if name in pieces]
    tokenizer.add_special_tokens([unknown, start, end, *marks])
    tokenizer.post_processor = TemplateProcessing(
        single=f"{start} $A {end}",
        pair=f"{start} $A {end} {end} $B {end}" if roberta else f"{start} $A {end} $B:1 {end}:1",
        special_tokens=[(start, pieces[start]), (end, pieces[end])],
    )
    return tokenizer


def _lower_case(
    options: dict[str, Any], pieces: dict[str, int], special: set[str], folder: Path
) -> bool:
    found = options.get("do_lower_case")
    if isinstance(found, bool):
        return found
    marked = special | {name for name in pieces if name[:1] in "[<"}
    capital = next((name for name in pieces if name != name.lower() and name not in marked), None)
    if capital is not None:
        raise EncoderError(
            f"{folder / TOKENIZER_CONFIG}: do_lower_case: must be true or false, since "
            f"{VOCABULARY} has capital letters ({capital}), got {found!r}"
        )
    return True


def _name_of(options: dict[str, Any], key: str, usual: str) -> str:
    """Return the name of a special token, which stands alone or in an object."""
    found = options.get(key, usual)
    found = found.get("content") if isinstance(found, dict) else found
    return found if isinstance(found, str) else usual
