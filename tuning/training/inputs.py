"""Inputs that all trials of one freezing depth share: data, cached states, encoder layers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from measures.overlap import overlap_features
from models.batches import RowReader, SplitArrays
from models.encoder import EncoderPart, encoder_loader, no_layers
from models.frozen_pass import FrozenPass
from models.number_formats import Precision
from models.tokens import TokenTable, load_tokenizer
from tuning.config.experiment import TrialConfig
from tuning.data.pairs import PairData
from tuning.data.prepared import Prepared, cut_length
from tuning.training.activation_cache import States, cached_states
from tuning.training.pair_features import add_cosines, features_of, frozen_states

# Tokens to a multiple of which a batch is padded. For each size of a matrix oneDNN prepares a
# product on a CPU, which takes time, and keeps it: fewer sizes take less of both than the padding.
_MULTIPLES = {"cpu": 4, "cuda": 1}


@dataclass(frozen=True, kw_only=True, slots=True)
class SharedInputs:
    """The inputs that all trials of one freezing depth share; kept in Ray's object store.

    Attributes:
        splits: Arrays of each split.
        index: Lines of each split's pairs in the data file, int (N,), and their groups.
        texts: Cleaned texts of the test pairs, N each; none without a test split.
        tokenizer: Tokenizer of the encoder as JSON text.
        lower: Frozen layers; None if there are none or the splits hold their states.
        upper: Trained layers, copied by each trial; may have no layers.
        width: Width D of the encoder.
        precision: Number formats that the encoder's layers compute in.
        card: Part of a saved model's card on encoder, data and preprocessing.
        pool: Train and validation together, whose tokens and states both share, and whose entities
            are what a fold must have whole; None without folds.
    """

    splits: Mapping[str, SplitArrays]
    index: Mapping[str, tuple[np.ndarray, list[str]]]
    texts: tuple[list[str], list[str]]
    tokenizer: str
    lower: EncoderPart | None
    upper: EncoderPart
    width: int
    precision: Precision
    card: Mapping[str, Any]
    pool: SplitArrays | None = None


class LoadedSplit:
    """A split on a device: its rows, and the targets that they are trained towards.

    Args:
        arrays: Tokens or states, labels and votes.
        config: Configuration of the trial.
        device: Device on which batches are made.

    Attributes:
        shares: Learned probability of a paraphrase, without class weights, float32 (N,).
    """

    def __init__(self, arrays: SplitArrays, config: TrialConfig, device: torch.device) -> None:
        features = features_of(arrays, config)
        multiple = _MULTIPLES[device.type]
        self.reader = RowReader(arrays.table, arrays.states, device, features, multiple=multiple)
        self.labels, self.entities = arrays.labels, arrays.entities
        self.orders = 2 if config.both_orders else 1
        self.config = config
        paraphrase = arrays.votes if config.targets == "votes" else arrays.labels
        self.shares = np.asarray(paraphrase, dtype=np.float32)
        shares = torch.tensor(self.shares, device=device)
        targets = torch.stack([1 - shares, shares], dim=1)  # (N, C)
        balanced = config.class_weight == "balanced"
        self.targets = targets * balanced_weights(targets) if balanced else targets

    @property
    def pairs(self) -> int:
        """Return the number of pairs N."""
        return self.reader.pairs

    def targets_of(self, rows: np.ndarray) -> Tensor:
        """Return the class probabilities to learn, times the class weights, float (B, C)."""
        return self.targets[torch.from_numpy(rows % self.pairs).to(self.targets.device)]


def balanced_weights(targets: Tensor) -> Tensor:
    """Return the weight of each class, float (C,), that lets all classes count alike in the loss.

    It is N / (C n), with n the sum of the class's probabilities: for labels the number of its
    pairs (King and Zeng, 2001; ``balanced`` in scikit-learn). Over the split the weights of the
    pairs have the mean 1, so the mean loss of a batch is the sum over its pairs by their number,
    whichever classes are among them.

    Args:
        targets: Class probabilities of the N pairs, float (N, C).
    """
    pairs, classes = targets.shape
    return pairs / (classes * targets.sum(dim=0).clamp(min=1e-6))  # a class that nobody voted for


def build_inputs(
    prepared: Prepared,
    trial: TrialConfig,
    precision: Precision,
    output: Path,
    frozen_pass: FrozenPass | None = None,
) -> SharedInputs:
    """Return the inputs that trials like this share; run the frozen layers once if needed.

    Args:
        prepared: Experiment with its data and encoder.
        trial: Trial whose number of frozen layers and encoding the inputs have.
        precision: Number formats that the encoder's layers compute in.
        output: Folder of results, in which ``activations`` holds the cache.
        frozen_pass: Where the frozen layers run; by default in this process.
    """
    run = frozen_pass or FrozenPass()
    found = cached_states(prepared, [trial], precision, output, run)
    states = found.get(prepared.variant_of(trial), {})
    return share_inputs(prepared, trial, precision, states, run)


def share_inputs(
    prepared: Prepared,
    trial: TrialConfig,
    precision: Precision,
    states: States,
    frozen_pass: FrozenPass,
) -> SharedInputs:
    """Return the inputs that trials like this share.

    Args:
        prepared: Experiment with its data and encoder.
        trial: Trial whose number of frozen layers and encoding the inputs have.
        precision: Number formats that the encoder's layers compute in.
        states: States of the frozen layers by split; none if they are not cached.
        frozen_pass: Where the frozen layers run.
    """
    device, depth = frozen_pass.device, prepared.depth_of(trial)
    overlap = any(each.overlap_features for each in prepared.trials)
    encoder, tables = prepared.encoder, prepared.encoded[trial.encoding].splits
    *_, mean = prepared.variant_of(trial)
    load = encoder_loader(encoder.folder, depth, device, trial.encoding, layer_mean=mean)
    splits = split_arrays(prepared.pairs, tables, states, overlap=overlap)
    cosines = any(each.cosine_feature is True for each in prepared.trials)
    if depth and trial.encoding == "separate" and cosines:  # embedded tokens are trained, not here
        frozen_type = getattr(torch, precision.frozen)
        here = torch.device("cpu") if frozen_pass.elsewhere else device
        run = frozen_states(load, frozen_type, here)
        splits = add_cosines(splits, run, here, encoder.width)
    none = no_layers(encoder.architecture, layer_mean=mean)
    return SharedInputs(
        splits=splits,
        index={
            split: (np.array(table.lines), table.groups)
            for split, table in prepared.pairs.splits.items()
        },
        texts=(prepared.pairs.splits["test"].first, prepared.pairs.splits["test"].second),
        tokenizer=load_tokenizer(encoder.folder)[0].to_str(),
        lower=load()[0].cpu() if depth and not states else None,
        upper=none if depth == encoder.layers else load()[1],
        width=encoder.width,
        precision=precision,
        card={**_card(prepared, depth, tables), "cached": bool(states)},
    )


def split_arrays(
    data: PairData, tables: Mapping[str, TokenTable], states: States, *, overlap: bool
) -> dict[str, SplitArrays]:
    """Return the arrays of each split that has a token table.

    Args:
        data: Pairs of all splits.
        tables: Token sequences by split.
        states: Cached states by split; a split without them is trained on its tokens.
        overlap: Whether to compute overlap features.
    """
    found = {}
    for split, table in tables.items():
        pairs = data.splits[split]
        found[split] = SplitArrays(
            table=table,
            states=states.get(split),
            labels=pairs.labels,
            votes=pairs.votes,
            entities=_entities(pairs.groups),
            overlap=overlap_features(pairs.first, pairs.second) if overlap else None,
        )
    return found


def _entities(groups: list[str]) -> np.ndarray:
    """Return a code for each pair's group, int (N,); a pair without one is its own entity."""
    codes: dict[str, int] = {}
    names = (group or f"\0{pair}" for pair, group in enumerate(groups))
    return np.array([codes.setdefault(name, len(codes)) for name in names])


def _card(prepared: Prepared, depth: int, tables: Mapping[str, TokenTable]) -> dict[str, Any]:
    """Return the part of a saved model's card on encoder, data and preprocessing."""
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
            "max_tokens": cut_length(prepared.experiment, prepared.encoder),
            "both_orders": tables["test"].rows > tables["test"].pairs,
        },
    }


def without_test(inputs: SharedInputs) -> SharedInputs:
    """Return the inputs of a search's trials, which hold nothing of the test split."""
    return replace(
        inputs,
        splits={name: s for name, s in inputs.splits.items() if name != "test"},
        index={name: i for name, i in inputs.index.items() if name != "test"},
        texts=([], []),
    )
