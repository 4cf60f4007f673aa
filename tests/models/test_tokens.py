"""Guards special tokens: read from the tokenizer; and ids that the encoder does not embed."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import ByteLevel, TemplateProcessing

from models.encoder_files import EncoderError, read_encoder_info
from models.tokens import SpecialTokens, check_ids, load_tokenizer

NAMES = ["a", "[UNK]", "[CLS]", "[SEP]", "<s>", "</s>", "<two>"]


def saved(folder: Path, names: list[str]) -> Tokenizer:
    vocabulary = {name: number for number, name in enumerate(names)}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    return tokenizer


def test_special_tokens_are_those_that_the_tokenizer_adds(tmp_path: Path) -> None:
    tokenizer = saved(tmp_path, NAMES)
    tokenizer.post_processor = TemplateProcessing(
        single="<s> $A </s>",
        pair="<s> $A </s> <two> </s> $B </s> <two>",
        special_tokens=[("<s>", 4), ("</s>", 5), ("<two>", 6)],
    )
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    found = load_tokenizer(tmp_path)[1]
    assert found == SpecialTokens(before=(4,), between=(5, 6, 5), after=(5, 6))
    assert (found.of_pair, found.of_text) == (6, 3)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (NAMES, SpecialTokens(before=(2,), between=(3,), after=(3,))),
        (["a", "[UNK]", "<s>", "</s>"], SpecialTokens(before=(2,), between=(3, 3), after=(3,))),
    ],
)
def test_a_tokenizer_that_adds_none_has_them_by_name(
    tmp_path: Path, names: list[str], expected: SpecialTokens
) -> None:
    tokenizer = saved(tmp_path, names)
    assert load_tokenizer(tmp_path)[1] == expected
    tokenizer.post_processor = ByteLevel()  # adds none, as that of GPT-2
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    assert load_tokenizer(tmp_path)[1] == expected


def test_a_word_piece_beyond_the_embeddings_is_named(distilbert: Path) -> None:
    info = replace(read_encoder_info(distilbert), vocabulary=40)
    tokenizer, _ = load_tokenizer(distilbert)
    check_ids(np.array([2, 39, 3]), tokenizer, info)
    rule = "tokenizer and embeddings disagree: the text has the word piece 'w37' with id 41"
    with pytest.raises(EncoderError, match=f"{rule}, and config.json says vocab_size 40"):
        check_ids(np.array([2, 41, 3]), tokenizer, info)
