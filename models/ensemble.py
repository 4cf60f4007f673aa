"""Files of an ensemble: classifiers of one encoder that differ by their seeds.

They are a folder with ``ensemble.json``, the encoder once, and a folder for each classifier.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from models.checkpoint import CARD, WEIGHTS, CheckpointError, find_encoder, read_card
from models.encoder_files import find_files

ENSEMBLE = "ensemble.json"
_FORMAT = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Saved:
    """The folders of a saved model's parts, and its threshold.

    ``members`` are the classifiers' folders. A pair whose probability is at least ``threshold``
    counts as a paraphrase.
    """

    members: list[Path]
    encoder: Path
    threshold: float


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


def find_saved(folder: Path) -> Saved:
    """Return the model saved in a folder: one classifier, or an ensemble in or below it.

    Raises:
        CheckpointError: If there is neither, or it cannot be read.
    """
    if (folder / CARD).is_file():
        threshold = read_card(folder).get("metrics", {}).get("threshold", 0.5)
        return Saved(members=[folder], encoder=find_encoder(folder), threshold=threshold)
    found = sorted(folder.rglob(ENSEMBLE))
    if len(found) != 1:
        raise CheckpointError(
            f"{folder}: must hold a saved classifier ({CARD}) or one ensemble ({ENSEMBLE}), "
            f"got {len(found)} ensembles"
        )
    try:
        content = json.loads(found[0].read_bytes())
        count, threshold = int(content["members"]), float(content["threshold"])
        if count < 1:
            raise ValueError(f"members: must be at least 1, got {count}")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{found[0]}: cannot be read: {error}") from error
    ensemble = found[0].parent
    members = [ensemble / f"member-{number}" for number in range(1, count + 1)]
    return Saved(members=members, encoder=ensemble / "encoder", threshold=threshold)
