"""Faults of an encoder's files that show without reading them whole: pointers, other sizes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from models.families import Family

_POINTER = b"version https://git-lfs"  # how a pointer of Git LFS begins


def find_pointer(paths: Iterable[Path]) -> str | None:
    """Return a sentence on the first file whose content Git left on a server, or None."""
    for path in paths:
        with path.open("rb") as file:
            if file.read(len(_POINTER)) == _POINTER:
                return (
                    f"{path}: is a pointer of Git LFS, not the file itself: git lfs pull gets it"
                )
    return None


def find_mismatch(
    folder: Path, files: Iterable[str], config: Mapping[str, Any], family: Family
) -> str | None:
    """Return a sentence on the first weight that is not what the config says, or None.

    Looked at are the embeddings and the number of layers, of safetensors alone. A file that is
    damaged is reported when it is loaded.

    Args:
        folder: Folder of the encoder.
        files: Names of its files.
        config: Content of its ``config.json``, with all sizes.
        family: Family of the encoder.
    """
    shapes = dict(read_shapes(folder / name for name in files if name.endswith(".safetensors")))
    width = config.get("embedding_size") or config[family.sizes["width"]]
    rows = {
        "word": config[family.sizes["vocabulary"]],
        "tok": config[family.sizes["vocabulary"]],
        "position": config[family.sizes["max_tokens"]],
        "token_type": config.get("type_vocab_size"),
    }
    for name, found in sorted(shapes.items()):
        match = re.search(
            r"\bembeddings\.(word|tok|position|token_type)_embeddings\.weight$", name
        )
        expected = (rows[match[1]], width) if match else found
        if found != expected and expected[0]:
            return describe_mismatch(name, found, expected)
    pattern = re.compile(rf"(?:^|\.){re.escape(family.layers)}\.(\d+)\.")
    layers = {match[1] for name in shapes if (match := pattern.search(name))}
    key = family.sizes["layers"]
    if layers and len(layers) < config[key]:
        return f"the files have the weights of {len(layers)} layers, and {key} is {config[key]}"
    return None


def describe_mismatch(name: str, found: Iterable[int], expected: Iterable[int]) -> str:
    """Return the sentence on a weight that has another shape than its config says."""
    shapes = [" x ".join(map(str, shape)) for shape in (found, expected)]
    return f"{name} has the shape {shapes[0]} in the file, and config.json makes it {shapes[1]}"


def read_shapes(paths: Iterable[Path]) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Yield the name and the shape of each tensor; a damaged file is left out."""
    for path in paths:
        try:
            with safe_open(path, framework="np") as file:
                for name in list(file.keys()):
                    yield name, tuple(file.get_slice(name).get_shape())
        except SafetensorError:
            continue
