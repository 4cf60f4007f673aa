"""Recomputation of a saved classifier's scores from its files, and their comparison."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from measures.objective import FLAGS
from models.batches import SplitArrays
from models.checkpoint import (
    CARD,
    CheckpointError,
    encoding_of,
    find_encoder,
    has_layer_mean,
    load_classifier,
    read_card,
)
from models.classifier import Classifier
from models.encoder_files import read_encoder_info
from models.ensemble import ENSEMBLE
from models.frozen_pass import FrozenEncoder, encode
from models.number_formats import FLOAT32
from models.precision import choose_device, describe_device, single_thread
from models.table_files import DataError
from models.tokens import TokenTable
from tuning.config.experiment import Cleaning
from tuning.config.trial_values import trial_of
from tuning.data.pairs import PairData, read_pairs
from tuning.data.sources import DataLocations, find_data, shipped_encoders
from tuning.data.tokenization import tokenise
from tuning.system.machine import device_record
from tuning.training.evaluation import (
    PREDICTIONS,
    SCORED,
    Evaluation,
    evaluate,
    largest_difference,
    read_probabilities,
)
from tuning.training.inputs import LoadedSplit, split_arrays
from tuning.training.pair_features import add_cosines, frozen_states

TOLERANCE = 1e-4  # largest difference between a logged and a recomputed score
_EQUAL = 1e-6  # the same where what computes is the same: sums may still be added in another order
# Largest differences of probabilities where other devices compute; measured between a GPU and a
# CPU: 1e-7 in float32, 8e-4 in bfloat16 (docs/results.md, On a GPU).
_PROBABILITIES = {FLOAT32: 1e-5}
_ROUNDED = 2e-3  # of all other number formats
# they describe the training
_NOT_SCORES = (
    "batch_parts", "best_epoch", "diverged", "head_parameters", "seconds", "trained_parameters"
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """The logged and the recomputed metrics of one classifier, by name.

    Attributes:
        logged: Metrics of the log.
        recomputed: Metrics as they are computed here.
        tolerance: Largest difference of a metric.
        how: Sentence on what is compared, and why so.
        close: Whether probabilities, which are compared in place of metrics, are as close as they
            should be; None if metrics are compared.
    """

    logged: Mapping[str, float]
    recomputed: Mapping[str, float]
    tolerance: float = TOLERANCE
    how: str = f"metrics are compared within {TOLERANCE:g}"
    close: bool | None = None

    @property
    def differing(self) -> list[str]:
        """Return the names of the metrics that differ by more than the tolerance, or are NaN."""
        return [
            name
            for name, value in self.logged.items()
            if not abs(self.recomputed[name] - value) <= self.tolerance
        ]

    @property
    def agrees(self) -> bool:
        """Return whether the classifier is the one that was logged."""
        return not self.differing if self.close is None else self.close


@dataclass(kw_only=True, slots=True)
class Reproducer:
    """Recomputes the scores of saved classifiers; equal data and states are built only once.

    Args:
        locations: Locations in which data sets are looked for.
        data: Name or folder of the data set; by default the one that the card names.
    """

    locations: DataLocations
    data: str | None = None
    _splits: dict[tuple[Any, ...], dict[str, SplitArrays]] = field(default_factory=dict)

    def check(self, folder: Path, encoder: Path, metrics: Mapping[str, float]) -> Comparison:
        """Return a classifier's logged metrics beside the recomputed ones.

        Args:
            folder: Folder of the saved classifier.
            encoder: Folder of its encoder.
            metrics: Logged metrics by name.

        Raises:
            CheckpointError: If the folder holds no complete classifier.
            DataError, SourceError: If the data set is unavailable or is not the same.
        """
        card = read_card(folder)
        evaluation = self._recompute(folder, encoder, card)
        old = "no_positive" not in metrics  # flags had other meanings: their scores are compared
        left_out = {*_NOT_SCORES, *(FLAGS if old else ())}
        logged = {name: value for name, value in metrics.items() if name not in left_out}
        here = device_record(describe_device(), 1)
        predictions = read_probabilities(folder.parent / PREDICTIONS)
        moved = largest_difference(predictions, evaluation.probabilities)
        rule = comparison_rule(card, here, moved)
        return Comparison(logged=logged, recomputed=evaluation.metrics, **rule)

    def _recompute(self, folder: Path, encoder: Path, card: dict[str, Any]) -> Evaluation:
        model = load_classifier(folder, encoder)
        data = card["data"]
        key = (card["encoder"]["fingerprint"], card["encoder"]["depth"], card["precision"])
        key = (*key, data["fingerprint"], data["both_orders"], data["max_tokens"], card["cached"])
        cosine = card["trial"].get("cosine_feature")
        key = (*key, model.branch is not None, encoding_of(card), cosine, has_layer_mean(card))
        if key not in self._splits:
            pairs = self._read_data(data)
            tables = _read_tokens(pairs, encoder, card)
            self._splits[key] = _build_splits(pairs, tables, model, card)
        trial = trial_of(card["trial"])
        device = choose_device()
        if card["cached"]:
            model.lower = None
        loaded = {
            split: LoadedSplit(arrays, trial, device)
            for split, arrays in self._splits[key].items()
        }
        with single_thread():
            return evaluate(model.to(device), loaded)

    def _read_data(self, data: dict[str, Any]) -> PairData:
        there = data["name"] not in ("parade", "embedded") or Path(data["folder"]).is_dir()
        folder = Path(data["folder"]) if there else None
        if self.data is not None or folder is None or data["name"] == "embedded":
            name = data["name"] if self.data is None else self.data
            folder = find_data(name, self.locations, strict=True).folder
        pairs = read_pairs(folder, Cleaning(**data["cleaning"]))
        if pairs.fingerprint != data["fingerprint"]:
            raise DataError(
                f"{folder}: fingerprint must be {data['fingerprint']}, of the data that the "
                f"classifier was trained on, got {pairs.fingerprint}; --data FOLDER names another "
                "folder"
            )
        return pairs


def comparison_rule(
    card: Mapping[str, Any], here: Mapping[str, Any], moved: float | None
) -> dict[str, Any]:
    """Return the fields of a ``Comparison`` that say how a classifier is compared.

    Args:
        card: Card of the classifier; older ones do not say what computed.
        here: What computes here, as ``device_record`` returns it.
        moved: Largest difference between saved and recomputed probabilities; None if none are
            saved.
    """
    there = card.get("device")
    if there == here:
        how = f"computed as here: metrics are compared within {_EQUAL:g}"
        return {"tolerance": _EQUAL, "how": how}
    if there is None or moved is None:
        return {}
    allowed = _PROBABILITIES.get(card["precision"], _ROUNDED)
    names = [
        f"{each['name']} ({each['parts']}), torch {each['torch']}"
        + (f", float32 in {each['float32']}" if "float32" in each else "")
        for each in (there, here)
    ]
    how = (
        f"computed on {names[0]}, here {names[1]}: probabilities are compared within {allowed:g}, "
        f"and differ by {moved:.1e} at most; metrics may differ by pairs at a threshold"
    )
    return {"how": how, "close": moved <= allowed}


def find_saved(folder: Path) -> list[tuple[Path, Path]]:
    """Return the folders of all classifiers in or below ``folder``, each with its encoder's.

    The copies in an ensemble are left out.

    Raises:
        CheckpointError: If there is none, or the encoder of one is not found.
    """
    paths = sorted(folder.rglob(CARD))
    found = [path.parent for path in paths if not (path.parents[1] / ENSEMBLE).is_file()]
    if not found:
        raise CheckpointError(
            f"{folder}: must hold a saved classifier ({CARD}) in or below it, got none"
        )
    return [(classifier, find_encoder(classifier, shipped_encoders())) for classifier in found]


def _read_tokens(pairs: PairData, encoder: Path, card: dict[str, Any]) -> dict[str, TokenTable]:
    info, data = read_encoder_info(encoder), card["data"]
    tokens = tokenise(
        pairs,
        info,
        max_tokens=data["max_tokens"],
        both_orders=data["both_orders"],
        encoding=encoding_of(card),
    )
    return {split: tokens.splits[split] for split in SCORED}


def _build_splits(
    pairs: PairData, tables: dict[str, TokenTable], model: Classifier, card: dict[str, Any]
) -> dict[str, SplitArrays]:
    states = {}
    lower = model.lower
    if card["cached"] and lower is not None:
        frozen = FrozenEncoder(
            lower=lambda: lower,
            encoder_fingerprint=card["encoder"]["fingerprint"],
            depth=card["encoder"]["depth"],
            precision=model.frozen_precision,
            device=choose_device(),
            layer_mean=lower.layer_mean,
        )
        states = {split: encode(frozen, table) for split, table in tables.items()}
    splits = split_arrays(pairs, tables, states, overlap=model.branch is not None)
    if card["trial"].get("cosine_feature") and lower is not None:
        frozen = frozen_states(lambda: (lower, lower), model.frozen_precision, choose_device())
        splits = add_cosines(splits, frozen, choose_device(), card["head"]["width"])
    return splits
