"""Guards the text of a pass of pretraining: it fits half of a GPU's memory, whatever the model."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models.masked_language_model import build_model
from models.pass_size import fitting_sequences, sizes_of, tokens_that_fit

SHAPE = {"layers": 2, "width": 8, "heads": 2, "inner_width": 12, "positions": 13}
DISTILBERT = {"layers": 6, "width": 768, "heads": 12, "inner_width": 3072, "positions": 512}
GB = 10**9


def test_sizes_are_those_that_a_model_was_built_with() -> None:
    assert sizes_of(build_model(11, SHAPE, seed=0)) == (SHAPE, 11)


def test_a_large_encoder_gets_parts_that_a_card_has_room_for() -> None:
    # 66 million weights, thrice 4 bytes each; 424 kB a token, by hand
    assert tokens_that_fit(16 * GB, DISTILBERT, 30522, 0.2) == pytest.approx(17_930, rel=0.02)
    assert tokens_that_fit(80 * GB, DISTILBERT, 30522, 0.2) > 65_536
    assert tokens_that_fit(GB // 2, DISTILBERT, 30522, 0.2) == 0


@given(
    free=st.integers(0, 200 * GB),
    more=st.integers(1, GB),
    layers=st.integers(1, 24),
    masked=st.floats(0.05, 0.5),
)
def test_more_memory_and_a_smaller_model_never_have_shorter_passes(
    free: int, more: int, layers: int, masked: float
) -> None:
    shape = DISTILBERT | {"layers": layers}
    tokens = tokens_that_fit(free, shape, 30522, masked)
    assert 0 <= tokens <= tokens_that_fit(free + more, shape, 30522, masked)
    assert tokens >= tokens_that_fit(free, shape | {"layers": layers + 1}, 30522, masked)


@pytest.mark.parametrize(("free", "sequences"), [(0, 1), (10**6, 32), (2 * 10**6, 64)])
def test_a_gpu_gets_a_power_of_two_and_at_least_one_sequence(
    monkeypatch: pytest.MonkeyPatch, free: int, sequences: int
) -> None:
    model = build_model(11, SHAPE, seed=0)  # 41 sequences fit, and 82
    monkeypatch.setattr("torch.cuda.mem_get_info", lambda _: (free, 10**9))
    assert fitting_sequences(model, 13, 0.2, torch.device("cuda")) == sequences
    assert fitting_sequences(model, 13, 0.2, torch.device("cpu")) == 4096 // 13
