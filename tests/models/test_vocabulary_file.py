"""Guards tokenizers made of vocab.txt: they split text as the published tokenizer does."""

import json
from pathlib import Path

import pytest

from models.encoder_files import (
    TOKENIZER_CONFIG,
    VOCABULARY,
    WEIGHTS,
    EncoderError,
    read_encoder_info,
)
from models.tokens import encode_texts, load_tokenizer
from tests.models.drawn_encoders import TEXT, draw_encoder
from tests.models.published_forms import write_vocabulary


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return draw_encoder(tmp_path, "bert")


@pytest.mark.parametrize("family", ["bert", "mpnet"])
def test_a_vocabulary_alone_splits_text_as_its_tokenizer_did(family: str, tmp_path: Path) -> None:
    folder = draw_encoder(tmp_path / family, family)
    texts = [*TEXT, "The  NAÏVE [MASK] quark\u4e2d, <s>"]
    before, special = load_tokenizer(folder)
    expected = encode_texts(before, texts)
    write_vocabulary(folder, {"do_lower_case": True})
    after, found = load_tokenizer(folder)
    assert encode_texts(after, texts) == expected
    assert found == special
    assert read_encoder_info(folder).files == (
        "config.json", WEIGHTS, VOCABULARY, "tokenizer_config.json"
    )  # fmt: skip


def test_the_case_is_kept_where_the_config_says_so(folder: Path) -> None:
    write_vocabulary(folder, {"do_lower_case": False, "cls_token": {"content": "[CLS]"}})
    tokenizer, _ = load_tokenizer(folder)
    assert tokenizer.encode("Data", add_special_tokens=False).tokens == ["[UNK]"]
    assert tokenizer.encode("data", add_special_tokens=False).tokens != ["[UNK]"]


@pytest.mark.parametrize(
    ("piece", "message"),
    [
        ("Capital", "do_lower_case: must be true or false, since vocab.txt has capital letters"),
        (None, r"vocab.txt: must have the token \[SEP\]"),
    ],
)
def test_a_vocabulary_that_leaves_something_open_is_refused(
    folder: Path, piece: str | None, message: str
) -> None:
    write_vocabulary(folder, None)
    path = folder / VOCABULARY
    text = path.read_text()
    path.write_text(f"{text}{piece}\n" if piece else text.replace("[SEP]\n", "[END]\n"))
    with pytest.raises(EncoderError, match=message):
        load_tokenizer(folder)


@pytest.mark.parametrize("options", [{"strip_accents": "yes"}, {"cls_token": "a b:c"}])
def test_an_option_that_the_tokenizer_cannot_take_is_refused(
    folder: Path, options: dict[str, object]
) -> None:
    write_vocabulary(folder, None)
    with (folder / VOCABULARY).open("a") as file:
        file.write("a b:c\n")
    (folder / TOKENIZER_CONFIG).write_text(json.dumps(options))
    with pytest.raises(EncoderError, match=r"tokenizer_config.json: cannot be used: "):
        load_tokenizer(folder)
