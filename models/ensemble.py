"""Files of an ensemble: classifiers of one encoder that differ by their seeds.

They are a folder with ``ensemble.json``, the encoder once, and a folder for each classifier.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from measures.objective import VALIDATION_F1, is_sound
from models.checkpoint import (
    CARD,
    WEIGHTS,
    CheckpointError,
    encoding_of,
    find_encoder,
    has_layer_mean,
    read_card,
)
from models.encoder_files import find_files

ENSEMBLE = "ensemble.json"
_FORMAT = 1
_INPUTS = ("encoder", "data")  # parts of a card on what a classifier was trained on
_FEATURES = ("cosine_feature", "overlap_features", "both_orders")  # of a trial, in its card


@dataclass(frozen=True, kw_only=True, slots=True)
class Saved:
    """The folders of a saved model's parts, and its threshold.

    ``folder`` is the classifier's or the ensemble's, ``members`` are the classifiers'. A pair
    whose probability is at least ``threshold`` counts as a paraphrase. ``among`` is the number of
    classifiers that the model was chosen from.
    """

    folder: Path
    members: list[Path]
    encoder: Path
    threshold: float
    among: int = 1


def write_ensemble(folder: Path, members: Sequence[Path], encoder: Path, threshold: float) -> None:
    """Write an ensemble into a new folder, with the weights as safetensors only.

    Args:
        folder: Folder of the ensemble; made if absent.
        members: Folders of saved classifiers of the same encoder.
        encoder: Folder of that encoder.
        threshold: Threshold for the mean of the members' probabilities, chosen on validation.

    Raises:
        FileExistsError: If the folder holds an ensemble already.
    """
    for number, member in enumerate(members, 1):
        own = folder / f"member-{number}"
        own.mkdir(parents=True)
        for name in (CARD, WEIGHTS):
            shutil.copyfile(member / name, own / name)
    (folder / "encoder").mkdir()
    for name in find_files(encoder):
        shutil.copyfile(encoder / name, folder / "encoder" / name)
    content = {"format": _FORMAT, "members": len(members), "threshold": threshold}
    (folder / ENSEMBLE).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def find_saved(folder: Path, encoders: Iterable[Path] = ()) -> Saved:
    """Return the model saved in a folder.

    It is the classifier in the folder, else the ensemble in or below it, as in the folder of a
    search, else the best classifier below it, as in the folder of a grid or of a trial.

    Args:
        folder: Folder of a saved model.
        encoders: Folders that may hold the encoder of a classifier, beside those near it.

    Raises:
        CheckpointError: If there is none or more than one, or it cannot be read.
        AbsentEncoderError: If the encoder of a classifier is not found.
    """
    if (folder / CARD).is_file():
        return _read_single(folder, encoders)
    found = sorted(path.parent for path in folder.rglob(ENSEMBLE))
    if len(found) > 1:
        raise CheckpointError(
            f"{folder}: must hold one ensemble ({ENSEMBLE}), got {len(found)}, the first is "
            f"{found[0]}"
        )
    if found:
        return _read_ensemble(found[0])
    below = _rank(folder)
    return replace(_read_single(below[0], encoders), among=len(below))


def require_alike(folder: Path, cards: Sequence[dict[str, Any]]) -> None:
    """Raise a CheckpointError, which names what differs, if an ensemble's members differ in input.

    Args:
        folder: Folder of the ensemble.
        cards: Cards of its members, in their order.
    """
    first = _inputs_of(cards[0])
    for number, card in enumerate(cards[1:], 2):
        for name, value in _inputs_of(card).items():
            if value != first[name]:
                raise CheckpointError(
                    f"{folder}: its members must have one {name}, got {first[name]} in member-1 "
                    f"and {value} in member-{number}"
                )


def _inputs_of(card: dict[str, Any]) -> dict[str, Any]:
    """Return what decides the inputs of a classifier, by name."""
    trial, data = card.get("trial", {}), card.get("data", {})
    return {
        "encoder": card["encoder"]["fingerprint"],
        "number of frozen layers": card["encoder"]["depth"],
        "precision": card["precision"],
        "encoding": encoding_of(card),
        "layer_mean": has_layer_mean(card),
        **{name: trial.get(name) for name in _FEATURES},
        **{name: data.get(name) for name in ("cleaning", "max_tokens")},
    }


def _read_single(folder: Path, encoders: Iterable[Path]) -> Saved:
    return Saved(
        folder=folder,
        members=[folder],
        encoder=find_encoder(folder, encoders),
        threshold=read_card(folder).get("metrics", {}).get("threshold", 0.5),
    )


def _rank(folder: Path) -> list[Path]:
    """Return the folders of the classifiers below a folder, best first by validation.

    Raises:
        CheckpointError: If there is none, or they were not trained on the same data and encoder.
    """
    cards = {path.parent: _read_unchecked(path) for path in sorted(folder.rglob(CARD))}
    if not cards:
        raise CheckpointError(
            f"{folder}: must hold a saved classifier ({CARD}) or an ensemble ({ENSEMBLE}), got "
            "neither"
        )
    inputs = [[card[part].get("fingerprint") for part in _INPUTS] for card in cards.values()]
    if any(each != inputs[0] for each in inputs):
        raise CheckpointError(
            f"{folder}: holds classifiers of several data sets or encoders, which cannot be "
            f"compared; name the folder of one launch, or of one classifier, as {min(cards)}"
        )

    def key(member: Path) -> tuple[bool, float]:
        metrics = cards[member]["metrics"]
        return not is_sound(metrics), -metrics.get(VALIDATION_F1, 0.0)

    return sorted(cards, key=key)


def _read_unchecked(path: Path) -> dict[str, Any]:
    """Return the parts of a card that classifiers are ranked by; no checksum is compared."""
    try:
        card = json.loads(path.read_bytes())
        return {part: dict(card[part]) for part in (*_INPUTS, "metrics")}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path}: cannot be read: {error}") from error


def _read_ensemble(folder: Path) -> Saved:
    try:
        content = json.loads((folder / ENSEMBLE).read_bytes())
        count, threshold = int(content["members"]), float(content["threshold"])
        if count < 1:
            raise ValueError(f"members: must be at least 1, got {count}")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{folder / ENSEMBLE}: cannot be read: {error}") from error
    members = [folder / f"member-{number}" for number in range(1, count + 1)]
    return Saved(folder=folder, members=members, encoder=folder / "encoder", threshold=threshold)
