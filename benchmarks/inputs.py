"""Encoders and data sets of a chosen size, as inputs of the benchmarks."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from measures.addresses import user_path
from models.encoder import encoder_loader
from models.frozen_pass import FrozenEncoder
from models.tokens import Encoding
from tuning.config.experiment import Cleaning
from tuning.data.pairs import PairTable, read_pairs
from tuning.data.prepared import Prepared
from tuning.data.sources import find_data, read_locations
from tuning.system.project import EMBEDDED

NAMES = ("auto", "parade", "embedded")  # of data sets


def random_distilbert(folder: Path, **sizes: int) -> Path:
    """Write a DistilBERT of the published size (66M weights, random) and return its folder.

    The time of a pass does not depend on the weights. The tokenizer is the embedded one, with
    8,192 of the 30,522 word pieces that the model has embeddings for. It reseeds torch.

    Args:
        folder: Folder to create.
        sizes: Fields of its configuration that differ from the published ones.
    """
    from transformers import DistilBertConfig, DistilBertModel
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    torch.manual_seed(0)
    DistilBertModel(DistilBertConfig.from_dict(sizes)).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(EMBEDDED / "encoder" / name, folder / name)
    return folder


def whole_encoder(
    prepared: Prepared,
    precision: torch.dtype,
    device: torch.device,
    encoding: Encoding = "pair",
) -> FrozenEncoder:
    """Return all layers of the encoder, loaded, as they compute the states for the cache."""
    encoder = prepared.encoder
    lower, _ = encoder_loader(encoder.folder, encoder.layers, device, encoding)()
    return FrozenEncoder(
        lower=lambda: lower,
        encoder_fingerprint=encoder.fingerprint,
        depth=encoder.layers,
        precision=precision,
        device=device,
    )


def data_anywhere(data: str) -> str:
    """Return a data set as a command in any folder takes it: its name, or an absolute path."""
    return data if data in NAMES else str(user_path(data).resolve())


def sample_pairs(data: str, folder: Path, *, train: int, others: int) -> Path:
    """Write a data folder with a random sample of the pairs of each split; return it.

    Args:
        data: Data set, as for ``run_grid.py``.
        folder: Folder to create, with one Parquet file per split.
        train: Number of pairs of the train split; all if there are fewer.
        others: Number of pairs of the validation and of the test split.
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
    """Write a data folder with every pair repeated and numbered, so that all differ; return it.

    Args:
        data: Data set, as for ``run_grid.py``.
        folder: Folder to create, with one Parquet file per split.
        times: Number of copies of each pair.
    """
    folder.mkdir(parents=True)
    for split, table in _read(data).items():
        frames = [_frame(table) for _ in range(times)]
        for number, frame in enumerate(frames):
            frame["second"] = [f"{text} {number}" for text in frame["second"]]
        pd.concat(frames).to_parquet(folder / f"{split}.parquet")
    return folder


def synthetic_pairs(folder: Path, count: int) -> Path:
    """Write a data folder with random sentences of 4 to 14 words, paired at random; return it.

    Each sentence stands in two pairs on average.

    Args:
        folder: Folder to create, with a Parquet file for each split.
        count: Number of pairs; nine in ten are for training.
    """
    generator = np.random.default_rng(0)
    entries = json.loads((EMBEDDED / "encoder/tokenizer.json").read_bytes())["model"]["vocab"]
    words = np.array([word for word in entries if word.isalpha() and len(word) > 2])
    ends = generator.integers(4, 15, int(1.34 * count)).cumsum()
    drawn = words[generator.zipf(1.3, ends[-1]) % len(words)]
    texts = np.array([" ".join(part) for part in np.split(drawn, ends[:-1])], dtype=object)
    folder.mkdir(parents=True)
    for split, share in (("train", 0.9), ("validation", 0.05), ("test", 0.05)):
        size = round(share * count)
        first, second = texts[generator.integers(len(texts), size=(2, size))]
        labels = generator.integers(2, size=size)
        frame = pd.DataFrame({"first": first, "second": second, "label": labels})
        frame.to_parquet(folder / f"{split}.parquet")
    return folder


def _read(data: str) -> dict[str, PairTable]:
    source = find_data(data, read_locations(), strict=True)
    return read_pairs(source.folder, Cleaning()).splits


def _frame(table: PairTable) -> pd.DataFrame:
    return pd.DataFrame(
        {"first": table.first, "second": table.second, "label": table.labels.astype(int)}
    )
