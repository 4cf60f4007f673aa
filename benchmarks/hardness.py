"""Measure how hard a data set's pairs are: python benchmarks/hardness.py DATA.

For each split: pairs, share of paraphrases, and how well two simple scores rank them (AUC): word
overlap, and the cosine of the two definitions' mean vectors from the encoder ``minilm``.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import torch
from sklearn.metrics import roc_auc_score
from tokenizers import Tokenizer

from measures.overlap import word_overlap
from models.encoder import EncoderPart, load_encoder
from models.encoder_files import TOKENIZER, read_encoder_info
from models.segments import FIRST
from tuning.config.experiment import Cleaning
from tuning.data.pairs import read_pairs
from tuning.data.sources import find_data, find_encoder, read_locations

_BATCH = 64  # definitions encoded at a time


def mean_vectors(lower: EncoderPart, folder: Path, texts: list[str]) -> np.ndarray:
    """Return the mean of each text's token states, special tokens included, float (N, D).

    Args:
        lower: All layers of the encoder.
        folder: Folder of the encoder.
        texts: N texts.
    """
    tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
    tokenizer.no_truncation()
    tokenizer.enable_padding()
    means = []
    for start in range(0, len(texts), _BATCH):
        encoded = tokenizer.encode_batch(texts[start : start + _BATCH])
        tokens = torch.tensor([each.ids for each in encoded])
        mask = torch.tensor([each.attention_mask for each in encoded])
        with torch.inference_mode():
            states = lower(tokens, mask * FIRST)  # (B, T, D)
        means.append((states * mask[..., None]).sum(1) / mask.sum(1, keepdim=True))
    return torch.cat(means).numpy()


def cosine(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the cosine of each two rows of two arrays (N, D), float (N,)."""
    lengths = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    return (first * second).sum(axis=1) / lengths


def main() -> int:
    """Return 0 after printing a line for each split."""
    parser = argparse.ArgumentParser(
        allow_abbrev=False, description="Measure how hard a data set's pairs are."
    )
    parser.add_argument("data", help="as for run_grid.py")
    args = parser.parse_args()
    folder = find_encoder("minilm").folder
    lower, _ = load_encoder(folder, read_encoder_info(folder).layers)
    data = read_pairs(find_data(args.data, read_locations(), strict=True).folder, Cleaning())
    for split, table in data.splits.items():
        vectors = [mean_vectors(lower, folder, texts) for texts in (table.first, table.second)]
        overlap = roc_auc_score(table.labels, word_overlap(table.first, table.second))
        angle = roc_auc_score(table.labels, cosine(*vectors))
        print(f"{split}: {len(table.labels)} pairs, {table.labels.mean():.1%} paraphrases, "
              f"AUC of word overlap {overlap:.3f}, of the cosine {angle:.3f}")  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
