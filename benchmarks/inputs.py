"""Encoders and data sets of the size that a benchmark asks for."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from tuning.config.experiment import Cleaning
from tuning.data.pairs import PairTable, read_pairs
from tuning.data.prepared import Prepared
from tuning.data.sources import find_data, read_locations
from tuning.system.project import EMBEDDED
from tuning.training.activation_cache import FrozenEncoder
from tuning.training.inputs import encoder_loader, frozen_part


def random_distilbert(folder: Path) -> Path:
    """Write a DistilBERT of the published size (66M weights) with random weights; return it.

    Time does not depend on the weights. The tokenizer is the embedded one, whose 8,192 pieces are
    the first of the 30,522 that the model knows.
    """
    from transformers import DistilBertConfig, DistilBertModel
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    torch.manual_seed(0)
    DistilBertModel(DistilBertConfig()).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(EMBEDDED / "encoder" / name, folder / name)
    return folder


def whole_encoder(
    prepared: Prepared, precision: torch.dtype, device: torch.device
) -> FrozenEncoder:
    """Return all layers of the encoder as they are run to cache their states, loaded already."""
    encoder = prepared.encoder
    load = encoder_loader(encoder.folder, encoder.layers, device)
    load()
    return frozen_part(encoder, encoder.layers, precision, device, load)


def sample_pairs(data: str, folder: Path, *, train: int, others: int) -> Path:
    """Write a data folder with so many random pairs of each split; return it.

    Args:
        data: As for ``run_grid.py``.
        folder: Made, with a Parquet file a split.
        train: Pairs of the training split; all if there are fewer.
        others: Pairs of validation, and of test.
    """
    generator = np.random.default_rng(0)
    folder.mkdir(parents=True)
    for split, table in _read(data).items():
        frame = _frame(table)
        wanted = min(len(frame), train if split == "train" else others)
        chosen = generator.choice(len(frame), wanted, replace=False)
        frame.iloc[np.sort(chosen)].to_parquet(folder / f"{split}.parquet")
    return folder


def repeat_pairs(data: str, folder: Path, times: int) -> Path:
    """Write a data folder with each pair so many times, numbered to differ; return it."""
    folder.mkdir(parents=True)
    for split, table in _read(data).items():
        frames = [_frame(table) for _ in range(times)]
        for number, frame in enumerate(frames):
            frame["second"] = [f"{text} {number}" for text in frame["second"]]
        pd.concat(frames).to_parquet(folder / f"{split}.parquet")
    return folder


def _read(data: str) -> dict[str, PairTable]:
    source = find_data(data, read_locations(), strict=True)
    return read_pairs(source.folder, Cleaning()).splits


def _frame(table: PairTable) -> pd.DataFrame:
    return pd.DataFrame(
        {"first": table.first, "second": table.second, "label": table.labels.astype(int)}
    )
