"""Guards the measure of hardness: cosines by their definition, padding without effect."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.hardness import cosine, mean_vectors
from models.encoder import load_encoder
from tests.conftest import LAYERS, WIDTH


def test_cosine_of_vectors_worked_by_hand() -> None:
    first, second = np.array([[3.0, 4.0], [1.0, 0.0]]), np.array([[4.0, 3.0], [0.0, 2.0]])
    assert cosine(first, second) == pytest.approx([0.96, 0.0])


def test_a_longer_text_in_the_batch_does_not_change_a_mean(bert: Path) -> None:
    lower, _ = load_encoder(bert, LAYERS)
    together = mean_vectors(lower, bert, ["w1 w2 w3", "w4 w5 w6 w7 w8 w9 w10"])
    assert together.shape == (2, WIDTH)
    np.testing.assert_allclose(together[:1], mean_vectors(lower, bert, ["w1 w2 w3"]), atol=1e-6)
