"""Guards tokenizers: of the size asked for, the same each time, loadable by transformers."""

from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer

from models.encoder_files import EncoderError
from tuning.pretraining.corpus import CorpusError
from tuning.pretraining.wordpiece import (
    encode_stream,
    save_tokenizer,
    train_word_pieces,
    vocabulary_of,
)

SENTENCE = "a hash table maps keys to values; sorting sorts; mapping and hashing map"
WORDS = SENTENCE.split()
TEXT = [" ".join(np.random.default_rng(n).choice(WORDS, 12)) for n in range(60)]
SIZE = 60


@pytest.fixture(scope="module")
def trained() -> Tokenizer:
    return train_word_pieces(lambda: TEXT, SIZE)


def test_the_same_text_makes_the_same_tokenizer(trained: Tokenizer) -> None:
    for _ in range(5):  # a single pass of the trainer would not repeat
        assert train_word_pieces(lambda: TEXT, SIZE).to_str() == trained.to_str()
    assert trained.get_vocab_size() == SIZE


def test_special_pieces_come_first(trained: Tokenizer) -> None:
    found = [trained.token_to_id(name) for name in ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")]
    assert found == [0, 1, 2, 3, 4]


def test_transformers_loads_the_tokenizer_with_the_same_pieces(
    trained: Tokenizer, tmp_path: Path
) -> None:
    from transformers import AutoTokenizer

    save_tokenizer(tmp_path, trained, 32)
    (tmp_path / "config.json").write_text('{"model_type": "distilbert"}', encoding="utf-8")
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    first, second = "Sorting MAPS", "a table"
    assert loaded(first, second)["input_ids"] == trained.encode(first, second).ids
    assert (loaded.model_max_length, loaded.mask_token_id) == (32, 4)


def test_a_vocabulary_that_the_text_does_not_support_is_refused() -> None:
    with pytest.raises(CorpusError, match=r"vocabulary: .* got 5000: the text has no more"):
        train_word_pieces(lambda: TEXT, 5000)
    with pytest.raises(CorpusError, match=r"got 8: the text has more characters than that"):
        train_word_pieces(lambda: TEXT, 8)


def test_the_vocabulary_marks_pieces_that_continue_a_word(trained: Tokenizer) -> None:
    vocabulary = vocabulary_of(trained)
    pieces = trained.get_vocab()
    continuing = [number for piece, number in pieces.items() if piece.startswith("##")]
    assert sorted(continuing) == np.flatnonzero(vocabulary.continues).tolist()
    assert np.flatnonzero(vocabulary.special).tolist() == [0, 1, 2, 3, 4]


def test_a_tokenizer_without_a_mask_is_refused(distilbert: Path) -> None:
    tokenizer = Tokenizer.from_file(str(distilbert / "tokenizer.json"))
    with pytest.raises(EncoderError, match=r"must have the token \[MASK\]"):
        vocabulary_of(tokenizer)


def test_a_stream_has_every_part_with_a_separator_after_it(
    trained: Tokenizer, tmp_path: Path
) -> None:
    stream = encode_stream(iter(TEXT[:3]), trained, tmp_path / "a.pieces")
    expected = [
        n for text in TEXT[:3] for n in [*trained.encode(text, add_special_tokens=False).ids, 3]
    ]
    assert stream.tolist() == expected
    again = encode_stream(iter([]), trained, tmp_path / "a.pieces")  # an existing file is read
    assert again.tolist() == expected


def test_no_text_makes_an_empty_stream(trained: Tokenizer, tmp_path: Path) -> None:
    assert len(encode_stream(iter([]), trained, tmp_path / "none.pieces")) == 0
