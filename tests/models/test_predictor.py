"""Guards the predictor: a pair's probability depends on that pair alone; bad input is refused."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer

from models.attended_words import attended_words
from models.checkpoint import CheckpointError
from models.ensemble import ENSEMBLE, find_saved, write_ensemble
from models.pair_checks import PairError
from models.predictor import Predictor
from models.segments import FIRST, SECOND, SPECIAL
from tests.models.untrained import save

FIRSTS = ["w1 w2 w3 w4", "w5", "w6 w7"]
SECONDS = ["w8", "w9 w10 w11 w12 w13", "w7 w6"]


def ensemble_of(folder: Path, encoder: Path, members: list[Path]) -> Predictor:
    write_ensemble(folder, members, encoder, 0.25)
    return Predictor(folder)


@pytest.mark.parametrize("depth", [0, 2, 3])
@pytest.mark.parametrize("both_orders", [False, True])
@pytest.mark.parametrize("architecture", ["distilbert", "bert"])
def test_a_pairs_probability_does_not_depend_on_the_others(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    depth: int,
    both_orders: bool,
    architecture: str,
) -> None:
    encoder = request.getfixturevalue(architecture)
    saved = save(tmp_path / "a", encoder, depth=depth, both_orders=both_orders, branch=True)
    predictor = ensemble_of(tmp_path / "e", encoder, [saved])
    together = predictor.predict(FIRSTS, SECONDS)
    alone = [predictor.predict([a], [b])[0] for a, b in zip(FIRSTS, SECONDS, strict=True)]
    assert together.shape == (3,)
    assert np.allclose(together, alone, atol=1e-6)
    swapped = predictor.predict(SECONDS, FIRSTS)
    assert np.allclose(swapped, together, atol=1e-6) == both_orders


def test_an_ensemble_returns_the_mean_of_its_members(distilbert: Path, tmp_path: Path) -> None:
    members = [save(tmp_path / str(seed), distilbert, seed=seed) for seed in range(3)]
    single = [
        ensemble_of(tmp_path / f"e{n}", distilbert, [member]).predict(FIRSTS, SECONDS)
        for n, member in enumerate(members)
    ]
    together = ensemble_of(tmp_path / "all", distilbert, members)
    assert np.allclose(together.predict(FIRSTS, SECONDS), np.mean(single, axis=0), atol=1e-12)
    assert together.threshold == 0.25
    assert len({tuple(each) for each in single}) == 3


def test_one_saved_classifier_is_found_with_the_encoder_beside_it(
    distilbert: Path, tmp_path: Path
) -> None:
    (tmp_path / "encoder").symlink_to(distilbert)
    predictor = Predictor(save(tmp_path / "trial/model", distilbert))
    assert predictor.threshold == 0.4
    assert predictor.predict(FIRSTS, SECONDS).shape == (3,)
    assert predictor.predict([], []).shape == (0,)


def test_text_is_cleaned_as_in_training(distilbert: Path, tmp_path: Path) -> None:
    predictor = ensemble_of(tmp_path / "e", distilbert, [save(tmp_path / "a", distilbert)])
    plain, raw = predictor.predict(["w1 w2"], ["w3"]), predictor.predict(["- w1   w2 "], ["•w3"])
    assert plain == raw


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        (
            ["w1", " - "],
            ["w2", "w3"],
            "pair 2: the first definition must have from 1 to 28 .* got 0",
        ),
        (["w1"], ["w2 " * 10_000], "pair 1: the second definition must .* got 10000"),
    ],
)
def test_a_text_of_wrong_length_is_refused(
    distilbert: Path, tmp_path: Path, first: list[str], second: list[str], message: str
) -> None:
    predictor = ensemble_of(tmp_path / "e", distilbert, [save(tmp_path / "a", distilbert)])
    with pytest.raises(PairError, match=message):
        predictor.predict(first, second)


def test_a_model_that_was_trained_on_cut_pairs_cuts_and_says_so(
    distilbert: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    saved = save(tmp_path / "a", distilbert, max_tokens=9)
    predictor = ensemble_of(tmp_path / "e", distilbert, [saved])
    long, short = "w1 " * 40, "w1 " * 3  # with [CLS], [SEP], w2 and [SEP] 9 tokens: 5 of the text
    found = predictor.predict([long, short], ["w2", "w2"])
    assert caplog.messages == ["1 of 2 pairs are cut to 9 word pieces"]
    assert found[0] == pytest.approx(predictor.predict(["w1 " * 5], ["w2"])[0], abs=1e-6)


def test_members_of_different_depths_are_refused(distilbert: Path, tmp_path: Path) -> None:
    members = [save(tmp_path / str(depth), distilbert, depth=depth) for depth in (1, 2)]
    rule = "members must have one number of frozen layers, got 1 in member-1 and 2 in member-2"
    with pytest.raises(CheckpointError, match=rule):
        ensemble_of(tmp_path / "e", distilbert, members)


@pytest.mark.parametrize("content", ["{}", "[]", '{"members": 0, "threshold": 0.5}'])
def test_a_damaged_ensemble_is_refused_by_name(tmp_path: Path, content: str) -> None:
    (tmp_path / ENSEMBLE).write_text(content)
    with pytest.raises(CheckpointError, match=f"{ENSEMBLE}: cannot be read"):
        find_saved(tmp_path)


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"must hold a saved classifier .* got neither"):
        Predictor(tmp_path)


@pytest.mark.parametrize(
    ("head", "shape"), [("cross_attention", (6, 6)), ("attention_pooling", (6,))]
)
def test_a_head_returns_what_it_attended_to(
    distilbert: Path, tmp_path: Path, head: str, shape: tuple[int, ...]
) -> None:
    saved = save(tmp_path / "a", distilbert, head=head)
    found = ensemble_of(tmp_path / "e", distilbert, [saved]).attend("w1 w2", "w3")
    assert found is not None
    pieces, segments, weights = found
    assert pieces == ["[CLS]", "w1", "w2", "[SEP]", "w3", "[SEP]"]
    assert weights.shape == shape
    words = attended_words(pieces, segments, weights)
    assert {each.word for each in words} >= {"w1", "w2"}


def test_a_head_without_attention_returns_none(distilbert: Path, tmp_path: Path) -> None:
    saved = save(tmp_path / "a", distilbert, head="mean_pooling")
    assert ensemble_of(tmp_path / "e", distilbert, [saved]).attend("w1", "w2") is None


def test_pieces_are_joined_to_words_and_their_weights_added() -> None:
    pieces = ["[CLS]", "un", "##known", "word", "[SEP]", "new", "word", "[SEP]"]
    segments = np.array([SPECIAL, FIRST, FIRST, FIRST, SPECIAL, SECOND, SECOND, SPECIAL])
    pooled = attended_words(pieces, segments, np.array([0, 0.2, 0.3, 0.1, 0, 0.15, 0.25, 0]))
    assert [(each.word, round(each.weight, 2)) for each in pooled[:2]] == [
        ("unknown", 0.5), ("word", 0.25)
    ]  # fmt: skip
    aligned = np.zeros((8, 8))
    aligned[1:3, 5], aligned[3, 6] = 1, 1  # rows of the first definition
    aligned[5, 1], aligned[5, 2], aligned[6, 3] = 0.5, 0.5, 1
    found = attended_words(pieces, segments, aligned)
    assert {(each.word, each.to, each.weight) for each in found} == {
        ("unknown", "new", 1.0), ("word", "word", 1.0)
    }  # fmt: skip


def test_a_word_piece_that_is_not_embedded_is_refused(distilbert: Path, tmp_path: Path) -> None:
    encoder = Path(shutil.copytree(distilbert, tmp_path / "encoder"))
    tokenizer = Tokenizer.from_file(str(encoder / "tokenizer.json"))
    tokenizer.add_tokens(["new"])
    tokenizer.save(str(encoder / "tokenizer.json"))
    predictor = ensemble_of(tmp_path / "e", encoder, [save(tmp_path / "a", encoder)])
    predictor.predict(["w1"], ["w2"])
    with pytest.raises(PairError, match=r"disagree: the text has the word piece 'new' with id 49"):
        predictor.predict(["w1"], ["new w2"])


@pytest.mark.parametrize(
    ("head", "more"),
    [
        ("cross_attention", {}),
        ("attention_pooling", {}),
        ("cross_attention", {"layer_mean": True, "depth": 3}),
    ],
)
def test_texts_encoded_separately_are_scored_alone_and_in_either_order(
    distilbert: Path, tmp_path: Path, head: str, more: dict[str, Any]
) -> None:
    saved = save(tmp_path / "a", distilbert, head=head, branch=True, separate=True, **more)
    predictor = ensemble_of(tmp_path / "e", distilbert, [saved])
    together = predictor.predict(FIRSTS, SECONDS)
    alone = [predictor.predict([a], [b])[0] for a, b in zip(FIRSTS, SECONDS, strict=True)]
    assert np.allclose(together, alone, atol=1e-6)
    # both heads treat the texts alike, and no text knows the other
    assert np.allclose(predictor.predict(SECONDS, FIRSTS), together, atol=1e-6)
    assert len({round(value, 6) for value in together}) == 3
    pieces, kinds, _ = predictor.attend("w1 w2", "w3") or ([], np.empty(0), np.empty(0))
    assert [piece for piece, kind in zip(pieces, kinds, strict=True) if kind == SECOND] == ["w3"]
    assert len(pieces) == 7


def test_texts_encoded_separately_are_cut_each_to_the_limit(
    distilbert: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    saved = save(tmp_path / "a", distilbert, max_tokens=9, separate=True)
    predictor = ensemble_of(tmp_path / "e", distilbert, [saved])
    found = predictor.predict(["w1 " * 40, "w1 " * 40], ["w2 " * 40, "w2"])
    assert caplog.messages == ["2 of 2 pairs are cut to 9 word pieces a text"]
    alone = predictor.predict(["w1 " * 7, "w1 " * 7], ["w2 " * 7, "w2"])
    assert found == pytest.approx(alone, abs=1e-6)


@pytest.mark.parametrize(
    ("change", "differs"),
    [
        ({"separate": True}, "one encoding, got pair in member-1 and separate in member-2"),
        ({"layer_mean": True}, "one layer_mean, got False in member-1 and True in member-2"),
        ({"both_orders": True}, "one both_orders, got False in member-1 and True in member-2"),
        ({"max_tokens": 9}, "one max_tokens, got None in member-1 and 9 in member-2"),
    ],
)
def test_members_that_read_pairs_differently_are_refused_by_what_differs(
    distilbert: Path, tmp_path: Path, change: dict[str, Any], differs: str
) -> None:
    changes: list[dict[str, Any]] = [{}, change]
    members = [
        save(tmp_path / str(number), distilbert, branch=True, depth=3, **change)
        for number, change in enumerate(changes)
    ]
    with pytest.raises(CheckpointError, match=differs):
        ensemble_of(tmp_path / "e", distilbert, members)


def test_members_with_and_without_the_cosine_are_refused(distilbert: Path, tmp_path: Path) -> None:
    members = [
        save(tmp_path / str(cosine), distilbert, branch=True, separate=True, cosine=cosine)
        for cosine in (True, False)
    ]
    with pytest.raises(CheckpointError, match="one cosine_feature, got True in member-1 and Fal"):
        ensemble_of(tmp_path / "e", distilbert, members)
