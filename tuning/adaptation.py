"""The text to adapt an encoder to: the pairs of a data set's training split, without labels.

Of validation and test nothing is read here: an encoder that knows their text would be scored on
what it learned.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tuning import parade
from tuning.config import Cleaning
from tuning.pairs import Columns, DataError, PairTable, find_files, read_columns, read_table

_TRAIN = "train"


@dataclass(frozen=True, kw_only=True, slots=True)
class PairText:
    """Definitions, two by two in either order of each pair; held out are whole groups.

    ``pairs`` are those of the split, ``fingerprint`` is a hash of the text.
    """

    training: list[str]
    heldout: list[str]
    pairs: int
    fingerprint: str


def read_pair_text(folder: Path, heldout_fraction: float, seed: int) -> PairText:
    """Return the text of the training split in ``folder``, in random order.

    Args:
        folder: Of a data set; its other two files may be absent.
        heldout_fraction: Of the groups (of the pairs if there are none); at least one is held out.
        seed: Of the order and of the groups that are held out.

    Raises:
        DataError: If the file is missing, broken or altered, or has one group only.
    """
    path, table = _read_training_split(folder)
    groups = np.array([group or f"pair {n}" for n, group in enumerate(table.groups)])
    names = np.unique(groups)
    if len(names) < 2:
        raise DataError(f"{path}: must have two groups or more, one is held out, got {len(names)}")
    draw = np.random.default_rng([seed, 4])
    count = max(round(len(names) * heldout_fraction), 1)
    held = np.isin(groups, draw.choice(names, count, replace=False))
    training = _definitions(table, np.flatnonzero(~held), draw)
    heldout = _definitions(table, np.flatnonzero(held), draw)
    return PairText(
        training=training,
        heldout=heldout,
        pairs=len(groups),
        fingerprint=hashlib.sha256(repr((training, heldout)).encode()).hexdigest()[:16],
    )


def _read_training_split(folder: Path) -> tuple[Path, PairTable]:
    cleaning = Cleaning()
    if not parade.is_parade(folder):
        path = find_files(folder, (_TRAIN,))[_TRAIN]
        return path, read_table(path, read_columns(folder), cleaning)
    path = parade.files_in(folder)[_TRAIN]
    altered = parade.find_altered(folder, (path.name,))
    if altered:
        raise DataError(altered)
    return path, read_table(path, Columns.model_validate(parade.COLUMNS), cleaning)


def _definitions(table: PairTable, rows: np.ndarray, draw: np.random.Generator) -> list[str]:
    """Return first and second of these pairs, then of the same pairs swapped, shuffled."""
    both = [(table.first[row], table.second[row]) for row in rows]
    both += [(second, first) for first, second in both]
    return [text for number in draw.permutation(len(both)) for text in both[number]]
