"""Guards word pieces for readers: parts of the text, joined to whole words."""

from collections.abc import Callable

import numpy as np
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from models.attended_words import attended_words
from models.segments import FIRST, SECOND, SPECIAL
from models.word_pieces import pair_pieces, read_pieces
from tests.models.drawn_encoders import byte_level, sentence_piece, word_pieces


@pytest.mark.parametrize("make", [byte_level, sentence_piece])
@pytest.mark.parametrize("text", ["a language, says", "Xylophones describe data-driven café"])
def test_pieces_are_the_text_without_its_spaces(make: Callable[[], Tokenizer], text: str) -> None:
    tokenizer = make()
    (pieces,) = read_pieces(tokenizer, [text])
    ids = tokenizer.encode(text, add_special_tokens=False).ids
    assert len(pieces) == len(ids)
    assert all(piece and not piece.isspace() for piece in pieces)
    joined = "".join(piece.removeprefix("##").removeprefix("\u2581") for piece in pieces)
    assert joined == text.replace(" ", "")


@pytest.mark.parametrize("make", [byte_level, sentence_piece])
def test_pieces_of_a_word_are_joined_and_punctuation_stands_alone(
    make: Callable[[], Tokenizer],
) -> None:
    tokenizer = make()
    (pieces,) = read_pieces(tokenizer, ["unlabelled data, (xyz)"])
    assert len([piece for piece in pieces if piece.startswith("##")]) > 3
    segments = np.full(len(pieces), FIRST)
    found = {each.word for each in attended_words(pieces, segments, np.ones(len(pieces)))}
    assert found >= {"unlabelled", "data", ",", "(", "xyz", ")"}


def test_the_bytes_of_one_letter_are_shown_once() -> None:
    tokenizer = Tokenizer(models.BPE({c: n for n, c in enumerate("abÃ©Ġ")}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    assert read_pieces(tokenizer, ["éa"]) == [["é", "##", "##a"]]


def test_a_space_of_its_own_belongs_to_the_word_after_it() -> None:
    tokenizer = Tokenizer(models.BPE({c: n for n, c in enumerate("ab\u2581")}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    (pieces,) = read_pieces(tokenizer, ["ab b"])
    segments, weights = np.full(len(pieces), FIRST), np.ones(len(pieces))
    found = {each.word: each.weight for each in attended_words(pieces, segments, weights)}
    assert found == {"ab": 3.0, "b": 2.0}


def test_word_pieces_of_bert_stay_as_they_are() -> None:
    tokenizer = word_pieces()
    text = "Unlabelled data"
    assert read_pieces(tokenizer, [text]) == [
        tokenizer.encode(text, add_special_tokens=False).tokens
    ]


def test_a_cut_pair_has_a_piece_for_each_token() -> None:
    tokenizer = byte_level()
    first, second = (
        tokenizer.encode(text, add_special_tokens=False).ids for text in ("a language", "data, x")
    )
    tokens = np.array([0, *first[:1], 2, 2, *second[:2], 2])
    segments = np.array([SPECIAL, FIRST, SPECIAL, SPECIAL, SECOND, SECOND, SPECIAL])
    pieces = pair_pieces(tokenizer, ("a language", "data, x"), tokens, segments)
    assert [pieces[place] for place in (0, 1, 2, 3, 6)] == ["<s>", "a", "</s>", "</s>", "</s>"]
    assert pieces[4:6] == read_pieces(tokenizer, ["data, x"])[0][:2]
