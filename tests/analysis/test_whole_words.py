"""Guards attention between whole words: pieces joined by one rule, stop words left out of maps."""

from typing import Any

import numpy as np
import pytest

from analysis.whole_words import content_map, join_pieces, rule_of

# "unseen car" and "the automobile", of three and two pieces
MAP: dict[str, Any] = {
    "tokens": ["[CLS]", "un", "##see", "##n", "car", "[SEP]", "the", "auto", "##mobile", "[SEP]"],
    "segments": [1, 2, 2, 2, 2, 1, 3, 3, 3, 1],
    "weights": [[0.1, 0.3, 0.0], [0.0, 0.6, 0.3], [0.2, 0.2, 0.4], [0.1, 0.4, 0.5]],
}


def test_pieces_are_joined_to_words_and_special_tokens_stay() -> None:
    words = join_pieces(MAP)
    assert words["tokens"] == ["[CLS]", "unseen", "car", "[SEP]", "the", "automobile", "[SEP]"]
    assert words["segments"] == [1, 2, 2, 1, 3, 3, 1]


def test_a_word_gives_the_mean_and_receives_the_sum_of_its_pieces_in_both_directions() -> None:
    weights = np.array(join_pieces(MAP)["weights"])
    # between the longer words is 1.8 in all: 1.8 / 3 pieces that give, 1.8 / 2 the other way
    assert weights[0, 1] == pytest.approx((0.6 + 0.9) / 2)
    assert weights[1, 1] == pytest.approx((0.9 + 0.45) / 2)
    assert weights[1, 0] == pytest.approx(0.1)


def test_words_of_one_piece_keep_their_weights() -> None:
    plain = {**MAP, "tokens": [token.removeprefix("##") for token in MAP["tokens"]]}
    assert np.allclose(join_pieces(plain)["weights"], MAP["weights"])


def test_weights_over_one_text_are_summed() -> None:
    pooled = {**MAP, "weights": np.arange(10.0).tolist()}
    assert join_pieces(pooled)["weights"] == [0, 1 + 2 + 3, 4, 5, 6, 7 + 8, 9]
    assert content_map(join_pieces(pooled)) == join_pieces(pooled)
    assert "the sum over its pieces" in rule_of(pooled)


def test_a_piece_never_continues_a_word_of_the_other_text() -> None:
    cut = {"tokens": ["a", "##b"], "segments": [2, 3], "weights": [[1.0]]}
    assert join_pieces(cut)["tokens"] == ["a", "b"]


def test_a_map_leaves_out_stop_words_but_negations() -> None:
    shown = content_map(join_pieces(MAP))
    assert shown["tokens"] == ["unseen", "car", "automobile"]
    assert np.shape(shown["weights"]) == (2, 1)
    assert shown["weights"][0][0] == pytest.approx(0.75)
    negated = {**MAP, "tokens": [*MAP["tokens"][:6], "not", *MAP["tokens"][7:]]}
    assert "not" in content_map(join_pieces(negated))["tokens"]


def test_a_map_of_stop_words_alone_keeps_them() -> None:
    stops = {"tokens": ["the", "a"], "segments": [2, 3], "weights": [[1.0]]}
    assert content_map(stops) == stops
