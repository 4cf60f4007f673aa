"""What all trials of one freezing depth share: their data, their states, the encoder's layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from measures.overlap import overlap_features
from models.batches import Batch, RowReader, SplitArrays
from models.encoder import EncoderPart, load_encoder, no_layers
from models.encoder_files import EncoderInfo
from models.precision import choose_device, choose_precision
from models.tokens import TokenTable, load_tokenizer
from tuning.config.experiment import TrialConfig
from tuning.data.pairs import PairData
from tuning.data.prepared import Prepared
from tuning.training.activation_cache import FrozenEncoder, States, load_or_compute


def ignore(rows: int) -> None:
    """Show no progress."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SharedInputs:
    """What all trials of one freezing depth share; lives in Ray's object store.

    ``lower`` is None when the splits hold its states; ``index`` gives the lines and the groups of
    each split's pairs, ``vocabulary`` the word piece of each token id, and ``card`` what a saved
    model says of encoder, data and preprocessing.
    """

    splits: Mapping[str, SplitArrays]
    index: Mapping[str, tuple[np.ndarray, list[str]]]
    vocabulary: list[str]
    lower: EncoderPart | None
    upper: EncoderPart
    width: int
    precision: str
    card: Mapping[str, Any]


def build_inputs(
    prepared: Prepared, depth: int, output: Path, advance: Callable[[int], None] = ignore
) -> SharedInputs:
    """Return what the trials of one depth share; the frozen layers run here, once.

    They do not run where the experiment does not cache their states.

    Args:
        prepared: The experiment.
        depth: Number of frozen layers.
        output: Folder with the cache of states.
        advance: Is given the number of rows that were encoded since the last call.
    """
    device = choose_device()
    precision = choose_precision(prepared.experiment.precision)
    overlap = any(trial.overlap_features for trial in prepared.trials)
    encoder = prepared.encoder
    load = encoder_loader(encoder.folder, depth, device)
    states: States = {}
    if depth and prepared.experiment.cache_activations:
        frozen = frozen_part(encoder, depth, getattr(torch, precision), device, load)
        states = load_or_compute(frozen, prepared.tokens.splits, output / "activations", advance)
    return SharedInputs(
        splits=split_arrays(prepared.pairs, prepared.tokens.splits, states, overlap=overlap),
        index={
            split: (np.array(table.lines), table.groups)
            for split, table in prepared.pairs.splits.items()
        },
        vocabulary=_vocabulary(encoder.folder),
        lower=load()[0].cpu() if depth and not states else None,
        upper=no_layers(encoder.architecture) if depth == encoder.layers else load()[1],
        width=encoder.width,
        precision=precision,
        card={**_card(prepared, depth), "cached": bool(states)},
    )


def encoder_loader(
    folder: Path, depth: int, device: torch.device
) -> Callable[[], tuple[EncoderPart, EncoderPart]]:
    """Return what gives the encoder's lower ``depth`` layers and the layers above, loaded once.

    It is not called where cached states of all layers serve: the library takes seconds to import.
    """
    attention = "sdpa" if device.type == "cuda" else "eager"  # on a CPU eager is faster both ways
    return cache(partial(load_encoder, folder, depth, attention=attention))


def frozen_part(
    encoder: EncoderInfo,
    depth: int,
    precision: torch.dtype,
    device: torch.device,
    load: Callable[[], tuple[EncoderPart, EncoderPart]],
) -> FrozenEncoder:
    """Return the lower ``depth`` layers as they are run to cache their states."""
    return FrozenEncoder(
        lower=lambda: load()[0],
        encoder_fingerprint=encoder.fingerprint,
        depth=depth,
        precision=precision,
        device=device,
    )


def without_test(inputs: SharedInputs) -> SharedInputs:
    """Return the material that trials of a search get: no test split, in no form."""
    return replace(
        inputs,
        splits={name: s for name, s in inputs.splits.items() if name != "test"},
        index={name: i for name, i in inputs.index.items() if name != "test"},
    )


def split_arrays(
    data: PairData, tables: Mapping[str, TokenTable], states: States, *, overlap: bool
) -> dict[str, SplitArrays]:
    """Return what trials share of each split that has a table, with overlap features if asked."""
    found = {}
    for split, table in tables.items():
        pairs = data.splits[split]
        found[split] = SplitArrays(
            table=table,
            states=states.get(split),
            labels=pairs.labels,
            votes=pairs.votes,
            overlap=overlap_features(pairs.first, pairs.second) if overlap else None,
        )
    return found


def _vocabulary(folder: Path) -> list[str]:
    tokenizer, _ = load_tokenizer(folder)
    highest = max(tokenizer.get_vocab().values())
    return [tokenizer.id_to_token(number) or "" for number in range(highest + 1)]


def _card(prepared: Prepared, depth: int) -> dict[str, Any]:
    """Return what a saved model's card says of encoder, data and preprocessing."""
    return {
        "encoder": {
            "name": prepared.encoder_source.name,
            "revision": prepared.encoder_source.revision,
            "fingerprint": prepared.encoder.fingerprint,
            "depth": depth,
        },
        "data": {
            "name": prepared.data_source.name,
            "folder": str(prepared.data_source.folder),
            "fingerprint": prepared.pairs.fingerprint,
            "cleaning": prepared.experiment.cleaning.model_dump(),
            "max_tokens": prepared.experiment.max_tokens,
            "both_orders": prepared.tokens.splits["test"].rows
            > prepared.tokens.splits["test"].pairs,
        },
    }


class LoadedSplit:
    """A split on a device: its rows, and the targets they are trained towards.

    Args:
        arrays: Tokens or states, labels and votes.
        config: Says whether labels or votes are learned, and whether both orders are used.
        device: Where batches are made.
    """

    def __init__(self, arrays: SplitArrays, config: TrialConfig, device: torch.device) -> None:
        overlap = arrays.overlap if config.overlap_features else None
        self.reader = RowReader(arrays.table, arrays.states, device, overlap)
        self.labels = arrays.labels
        self.orders = 2 if config.both_orders else 1
        paraphrase = arrays.votes if config.targets == "votes" else arrays.labels
        shares = torch.tensor(paraphrase, dtype=torch.float32, device=device)
        self.targets = torch.stack([1 - shares, shares], dim=1)  # (N, C)

    @property
    def pairs(self) -> int:
        """Return N."""
        return self.reader.pairs

    def targets_of(self, batch: Batch) -> Tensor:
        """Return the probabilities of the classes, (B, C), that the batch's rows should get."""
        return self.targets[batch.rows % self.pairs]
