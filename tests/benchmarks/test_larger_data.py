"""Guards the benchmark of larger data: it compares equal epochs, on pairs of the asked number."""

from pathlib import Path

import numpy as np

from benchmarks.inputs import synthetic_pairs
from benchmarks.larger_data import copy_part, draw_part, time_epoch
from models.state_files import create, read
from tuning.config.experiment import Cleaning
from tuning.data.pairs import read_pairs

PAIRS, WIDTH = 40, 8


def test_a_part_trains_alike_in_memory_and_in_a_file(tmp_path: Path) -> None:
    states = create(tmp_path / "x", {"train": 9000}, WIDTH, np.dtype(np.float32))["train"]
    states[:] = np.random.default_rng(0).normal(size=states.shape)
    part = draw_part(read(tmp_path / "x")[0]["train"], PAIRS)
    copied = copy_part(part)
    assert isinstance(copied.states, np.ndarray)
    assert copied.states.shape == (part.table.lengths.sum(), WIDTH)
    losses = [time_epoch(each, "cross_attention")[1] for each in (part, copied)]
    assert losses[0] == losses[1] > 0


def test_synthetic_pairs_are_divided_and_share_texts(tmp_path: Path) -> None:
    splits = read_pairs(synthetic_pairs(tmp_path / "pairs", 400), Cleaning()).splits
    sizes = {split: len(table.labels) for split, table in splits.items()}
    assert sizes == {"train": 360, "validation": 20, "test": 20}
    texts = [*splits["train"].first, *splits["train"].second]
    assert 0.5 * 720 < len(set(texts)) < 0.6 * 720
    assert all(4 <= len(text.split()) <= 14 for text in texts)
