"""Guards batches of masked text: no text is lost, and a batch depends on its number alone."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuning.pretraining.masking import MaskedBatch, PackedText, SequenceOptions, Vocabulary

SIZE, SPECIAL, CONTINUING = 40, 5, 12  # ids below 5 are special, those from 28 continue a word
T, POSITIONS, B = 9, 20, 4
OPTIONS = SequenceOptions(
    length=T, positions=POSITIONS, even_starts=False, mask_fraction=0.3, whole_words=False, seed=7
)


def vocabulary() -> Vocabulary:
    numbers = np.arange(SIZE)
    return Vocabulary(
        size=SIZE,
        start=2,
        separator=3,
        mask=4,
        special=numbers < SPECIAL,
        continues=numbers >= SIZE - CONTINUING,
    )


def text_of(stream: np.ndarray, **changes: Any) -> PackedText:  # noqa: ANN401 - of any field
    return PackedText(stream, vocabulary(), replace(OPTIONS, **changes))


def random_stream(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(SPECIAL, SIZE, count).astype(np.uint16)


def restored(batch: MaskedBatch) -> np.ndarray:
    tokens = batch.tokens.copy()
    tokens[batch.chosen] = batch.targets
    return tokens


def test_a_batch_depends_on_its_number_alone() -> None:
    stream = random_stream(2000)
    in_turn = [text_of(stream).batch(n, B) for n in (0, 1, 130, 131)][2]
    alone = text_of(stream).batch(130, B)
    for field in ("tokens", "chosen", "targets", "starts"):
        np.testing.assert_array_equal(getattr(in_turn, field), getattr(alone, field))


@given(count=st.integers(2 * T, 400), seed=st.integers(0, 5))
def test_an_epoch_shows_consecutive_pieces_each_once(count: int, seed: int) -> None:
    text = PackedText(
        np.arange(count),  # the id of each piece is its position
        Vocabulary(
            size=count,
            start=0,
            separator=0,
            mask=0,
            special=np.zeros(count, dtype=bool),
            continues=np.zeros(count, dtype=bool),
        ),
        replace(OPTIONS, even_starts=True, seed=seed),
    )
    rows = np.concatenate([restored(text.batch(n, 1)) for n in range(text.sequences)])
    seen = np.sort(rows[:, 1:].ravel())
    assert (np.diff(seen) == 1).all()  # no gap, none twice
    assert count - len(seen) < 2 * T


def test_the_next_epoch_has_another_order_and_another_cut() -> None:
    text = text_of(random_stream(3000))
    first = {restored(text.batch(n, 1)).tobytes() for n in range(text.sequences)}
    second = {
        restored(text.batch(n, 1)).tobytes() for n in range(text.sequences, 2 * text.sequences)
    }
    assert len(first & second) < len(first) / 2


@given(seed=st.integers(0, 50))
def test_special_pieces_are_never_chosen_and_some_other_is(seed: int) -> None:
    stream = random_stream(40)
    stream[::3] = 3
    batch = text_of(stream, mask_fraction=0.01, seed=seed).batch(0, 1)
    assert batch.chosen.any()
    assert not (restored(batch)[batch.chosen] < SPECIAL).any()
    assert (batch.tokens[:, 0] == 2).all()


def test_eight_of_ten_chosen_pieces_are_masked_one_is_replaced_one_stays() -> None:
    text = text_of(random_stream(200_000))
    batch = text.batch(0, 20_000)
    shown = batch.tokens[batch.chosen]
    assert batch.chosen[:, 1:].mean() == pytest.approx(0.3, abs=0.005)
    assert (shown == 4).mean() == pytest.approx(0.8 + 0.1 / SIZE, abs=0.01)
    assert (shown == batch.targets).mean() == pytest.approx(0.1 + 0.1 / SIZE, abs=0.01)


def test_a_word_is_chosen_whole_or_not_at_all() -> None:
    batch = text_of(random_stream(4000), whole_words=True).batch(0, 64)
    tokens = restored(batch)
    continues = tokens >= SIZE - CONTINUING
    inside = continues[:, 2:]  # the first piece of a sequence may be cut off from its word
    assert inside.any()
    np.testing.assert_array_equal(batch.chosen[:, 2:][inside], batch.chosen[:, 1:-1][inside])


def test_sequences_start_at_every_position_that_leaves_room() -> None:
    starts = text_of(random_stream(9000)).batch(0, 900).starts
    assert set(starts) == set(range(POSITIONS - T + 1))


def test_even_starts_train_the_first_and_the_last_position_as_often_as_the_others() -> None:
    starts = text_of(random_stream(90_000), even_starts=True).batch(0, 9000).starts
    assert (starts.min(), starts.max()) == (0, POSITIONS - T)
    seen = np.bincount((starts[:, None] + np.arange(T)).ravel(), minlength=POSITIONS) / len(starts)
    usual = T / (POSITIONS + T - 1)
    assert (seen > 0.9 * usual).all()
    assert (seen < 2.2 * usual).all()


def test_scoring_batches_are_always_the_same_and_in_order() -> None:
    stream = random_stream(500)
    first, again = (list(text_of(stream).in_order(3, 10)) for _ in range(2))
    assert [len(batch.tokens) for batch in first] == [3, 3, 3, 1]
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one.tokens, other.tokens)
    pieces = np.concatenate([restored(batch)[:, 1:] for batch in first]).ravel()
    np.testing.assert_array_equal(pieces, stream[: len(pieces)])
