"""The PARADE data set (He et al., EMNLP 2020, arXiv 2010.03725): address, files, checksums."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

COMMIT = "ee0daf026a79f3285c27be8f933393fdadbf3533"
URL = f"https://raw.githubusercontent.com/heyunh2015/PARADE_dataset/{COMMIT}"
SHA256 = {
    "PARADE_train.txt": "c763561a7e6e2ec2b127b023ff9e4e0134dcdd3320f77da14dad426308cc5ddb",
    "PARADE_validation.txt": "7bbe251519a256c30e2bab86b90adeee2e3dc0254e99b0df95f679f8b2bb6a49",
    "PARADE_test.txt": "d443bfb378dc4ac81d1333657a49ce1d4256e8f477b662ff55323b45b6f73250",
}
COLUMNS = {
    "first": "Definition1",
    "second": "Definition2",
    "label": "Binary labels",
    "group": "Entity",
    "votes": "Four-class labels",
    "voters": 3,
    "quoting": "none",
}


def is_parade(folder: Path) -> bool:
    """Return whether any file of PARADE is in ``folder``."""
    return any((folder / name).is_file() for name in SHA256)


def files_in(folder: Path) -> dict[str, Path]:
    """Return the path of each split's file, whether it exists or not."""
    return {name[len("PARADE_") : -len(".txt")]: folder / name for name in SHA256}


def find_altered(folder: Path, names: Iterable[str] = tuple(SHA256)) -> str | None:
    """Return a sentence about the first of these files that is missing or altered, or None."""
    for name in names:
        expected = SHA256[name]
        path = folder / name
        if not path.is_file():
            return f"{path}: is missing; PARADE has {', '.join(SHA256)}"
        found = hashlib.sha256(path.read_bytes()).hexdigest()
        if found != expected:
            return (
                f"{path}: sha256 must be {expected}, got {found}; this is not PARADE as published."
                " To use other files, name them train.tsv, validation.tsv and test.tsv and give"
                " their folder with --data FOLDER"
            )
    return None
