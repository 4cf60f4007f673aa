"""The files of an encoder: which of a repository's are downloaded, and whether all are here."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from models.encoder_files import EncoderError, find_files, inner_folder

_CONFIG = "config.json"
_FOLDERS = ("", "0_Transformer/")  # the second in old sentence-transformers repositories
# Weights in the order of preference; the second of a pair is the index of several files.
_WEIGHTS = (
    (r"model\.safetensors", None),
    (r"model-\d{5}-of-\d{5}\.safetensors", "model.safetensors.index.json"),
    (r"pytorch_model\.bin", None),
    (r"pytorch_model-\d{5}-of-\d{5}\.bin", "pytorch_model.bin.index.json"),
)
_VOCABULARIES = {"tokenizer.json", "vocab.txt", "vocab.json", "spm.model"}  # one is enough
_TOKENIZER = (
    *sorted(_VOCABULARIES),
    "merges.txt",
    "added_tokens.json",
    "special_tokens_map.json",
    "tokenizer_config.json",
)


def choose_files(names: Iterable[str]) -> list[str]:
    """Return the files of a repository that make an encoder, the weights last.

    Safetensors are preferred, and a pickle is only taken where there are none.

    Args:
        names: Paths of all files within the repository.

    Returns:
        Paths to download; empty if configuration, weights or vocabulary are missing.
    """
    known = set(names)
    folder = next((folder for folder in _FOLDERS if folder + _CONFIG in known), None)
    if folder is None:
        return []
    here = {name.removeprefix(folder) for name in known if name.startswith(folder)}
    weights = _choose_weights(here)
    if not weights or not _VOCABULARIES & here:
        return []
    rest = [_CONFIG, *(name for name in _TOKENIZER if name in here)]
    return [folder + name for name in (*rest, *weights)]


def _choose_weights(names: set[str]) -> list[str]:
    for pattern, index in _WEIGHTS:
        found = sorted(name for name in names if re.fullmatch(pattern, name))
        if found and (index is None or index in names):
            return found if index is None else [index, *found]
    return []


def is_whole(folder: Path) -> bool:
    """Return whether a folder holds all files that are read of an encoder.

    Files that no encoder needs are not looked for.
    """
    try:
        find_files(inner_folder(folder))
    except (EncoderError, OSError):
        return False
    return True
