"""Architecture, sizes, files and fingerprint of the encoder in a folder, read without torch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.families import FAMILIES
from models.weight_files import find_mismatch, find_pointer

CONFIG, WEIGHTS, TOKENIZER = "config.json", "model.safetensors", "tokenizer.json"
INDEX, PICKLE = "model.safetensors.index.json", "pytorch_model.bin"
PICKLE_INDEX = "pytorch_model.bin.index.json"
VOCABULARY, TOKENIZER_CONFIG = "vocab.txt", "tokenizer_config.json"
INNER = "0_Transformer"  # folder of the encoder in one of sentence-transformers
# names of one tokenizer in other forms, which are not read
_OTHER_TOKENIZERS = ("spm.model", "sentencepiece.bpe.model", "vocab.json")
_MOST_LAYERS, _LARGEST = 1000, 2**31 - 1
_ADAPTER = "adapter_config.json"  # of PEFT
# what the library would read otherwise, or not heed
_NEEDED = {
    "is_decoder": False,
    "position_embedding_type": "absolute",
    "transformers_weights": None,
}


class EncoderError(ValueError):
    """No encoder can be loaded from a folder; the message says why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class EncoderInfo:
    """Architecture and sizes of an encoder, as plans, heads and caches need them.

    Attributes:
        folder: Folder with its files.
        files: Names of the files that are read, in the order of the fingerprint.
        architecture: Name of the architecture, a key of ``models.families.FAMILIES``.
        layers: Number of transformer layers.
        width: Width D of the states.
        inner_width: Width of the feed-forward layers' hidden states.
        max_tokens: Largest number of tokens in a sequence, with special tokens.
        vocabulary: Number of word pieces that are embedded.
        fingerprint: Hash of the files that are read, 16 hexadecimal digits.
    """

    folder: Path
    files: tuple[str, ...]
    architecture: str
    layers: int
    width: int
    inner_width: int
    max_tokens: int
    vocabulary: int
    fingerprint: str

    @property
    def layer_parameters(self) -> int:
        """Return the number of weights in one layer's matrices: attention and feed-forward."""
        matrices = FAMILIES[self.architecture].matrices
        return 4 * self.width**2 + matrices * self.width * self.inner_width

    @property
    def weights(self) -> str:
        """Return the name of the file with the weights, or with the names of their files."""
        return self.files[1]

    @property
    def pickled(self) -> bool:
        """Return whether the weights are a pickle of tensors."""
        return self.weights in (PICKLE, PICKLE_INDEX)


def read_encoder_info(folder: Path) -> EncoderInfo:
    """Return architecture, sizes and fingerprint of the encoder in ``folder``.

    A folder of sentence-transformers may have it in ``0_Transformer``.

    Raises:
        EncoderError: If a file is missing or broken, the architecture is not supported, or the
            weights have other sizes than the config says.
    """
    folder = inner_folder(folder)
    files = find_files(folder)
    pointer = find_pointer(folder / name for name in files)
    if pointer is not None:
        raise EncoderError(pointer)
    config = read_json(folder / CONFIG)
    architecture = config.get("model_type")
    if not isinstance(architecture, str) or architecture not in FAMILIES:
        raise EncoderError(
            f"{folder / CONFIG}: model_type: must be one of {', '.join(FAMILIES)}, "
            f"got {architecture!r}"
        )
    for key, needed in _NEEDED.items():
        if config.get(key, needed) != needed:
            raise EncoderError(
                f"{folder / CONFIG}: {key}: must be {json.dumps(needed)}, got {config[key]!r}"
            )
    if VOCABULARY in files and not FAMILIES[architecture].vocabulary_file:
        raise EncoderError(f"{folder}: no encoder here, {TOKENIZER} missing; {_way_out(folder)}")
    sizes = _sizes(config, folder / CONFIG)
    mismatch = find_mismatch(folder, files, config, FAMILIES[architecture])
    if mismatch is not None:
        raise EncoderError(f"{folder}: {mismatch}")
    return EncoderInfo(
        folder=folder,
        files=files,
        architecture=architecture,
        fingerprint=_fingerprint(folder, files),
        **sizes,
    )


def find_files(folder: Path) -> tuple[str, ...]:
    """Return the names of the files that are read from an encoder's folder, config first.

    Raises:
        EncoderError: If one is missing, or the index of the shards is broken.
    """
    names = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    names = {name for name in names if (folder / name).is_file()}
    found = [CONFIG, *_weights_of(names), *_tokenizer_of(names)]
    if found[1] in (INDEX, PICKLE_INDEX):
        found[2:2] = _shards(folder / found[1])
    missing = [name for name in found if name not in names]
    if missing:
        raise EncoderError(
            f"{folder}: no encoder here, {', '.join(missing)} missing; {_way_out(folder)}"
        )
    return tuple(found)


def _weights_of(names: set[str]) -> list[str]:
    """Return the first form of the weights that is among the names; a single file if none is."""
    return [
        next((name for name in (WEIGHTS, INDEX, PICKLE, PICKLE_INDEX) if name in names), WEIGHTS)
    ]


def _tokenizer_of(names: set[str]) -> list[str]:
    """Return the files that say how to split text."""
    if TOKENIZER in names or VOCABULARY not in names:
        return [TOKENIZER]
    return [VOCABULARY, *(name for name in [TOKENIZER_CONFIG] if name in names)]


def _shards(path: Path) -> list[str]:
    """Return the names of the files with the weights, which an index lists."""
    placed = read_json(path).get("weight_map")
    names = list(placed.values()) if isinstance(placed, dict) else []
    if not names or not all(isinstance(name, str) and Path(name).name == name for name in names):
        raise EncoderError(f"{path}: weight_map: must give the file of each weight")
    return sorted(set(names))


def inner_folder(folder: Path) -> Path:
    """Return the folder that has the encoder: this one, or the one in it."""
    inside = not (folder / CONFIG).is_file() and (folder / INNER / CONFIG).is_file()
    return folder / INNER if inside else folder


def _way_out(folder: Path) -> str:
    """Return what an encoder's folder must have, and how to get it."""
    other = [name for name in _OTHER_TOKENIZERS if (folder / name).is_file()]
    if other and not (folder / TOKENIZER).is_file():
        return (
            f"{other[0]} is not read: AutoTokenizer.from_pretrained(FOLDER)"
            f".save_pretrained(FOLDER) of transformers makes {TOKENIZER} of it (a SentencePiece "
            "model needs the package sentencepiece)"
        )
    if (folder / _ADAPTER).is_file():
        return (
            "it holds an adapter of PEFT: merge_and_unload() of a PeftModel gives the encoder "
            "that save_pretrained() writes"
        )
    return (
        f"an encoder folder has {CONFIG}, {WEIGHTS} (or {INDEX} with its files, or {PICKLE}) and "
        f"{TOKENIZER} (or {VOCABULARY}), as written by save_pretrained() of a model and of its "
        "fast tokenizer"
    )


def read_json(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file; raise an EncoderError if there is none."""
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise EncoderError(f"{path}: is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise EncoderError(f"{path}: must hold a JSON object")
    return content


def _sizes(config: dict[str, Any], path: Path) -> dict[str, int]:
    family = FAMILIES[config["model_type"]]
    sizes = {}
    for field, key in family.sizes.items():
        value, largest = config.get(key), _MOST_LAYERS if field == "layers" else _LARGEST
        if type(value) is not int or not 1 <= value <= largest:
            rule = f"must be a whole number from 1 to {largest}"
            raise EncoderError(f"{path}: {key}: {rule}, got {value!r}")
        sizes[field] = value
    if family.offset_by_padding:
        padding = config.get("pad_token_id", 1)
        if not isinstance(padding, int) or not 0 <= padding < sizes["max_tokens"] - 1:
            raise EncoderError(
                f"{path}: pad_token_id: must be a whole number below max_position_embeddings - 1, "
                f"got {padding!r}"
            )
        sizes["max_tokens"] -= max(padding, 1) + 1  # MPNet's is 1 whatever its config says
    return sizes


def _fingerprint(folder: Path, files: Iterable[str]) -> str:
    """Return a hash of the files' content, which takes about 0.2 seconds for 265 MB."""
    digest = hashlib.sha256()
    for name in files:
        with (folder / name).open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:16]


def frozen_layers(freezing: str | int, layers: int) -> int:
    """Return the number of lower layers that ``freezing`` keeps frozen.

    ``some`` is two thirds, rounded to the nearest whole number, with at least one layer frozen and
    one trained. With 0 the embeddings are trained too; otherwise they are frozen.

    Args:
        freezing: Mode ``all``, ``some`` or ``none``, or a number of layers.
        layers: Number of layers of the encoder.

    Raises:
        EncoderError: If ``freezing`` is more than ``layers``, or ``some`` of a single layer.
    """
    if freezing == "some":
        if layers < 2:
            raise EncoderError("freezing: some needs an encoder of at least 2 layers, this has 1")
        return min(max(round(layers * 2 / 3), 1), layers - 1)
    depth = layers if freezing == "all" else 0 if freezing == "none" else freezing
    if not isinstance(depth, int) or not 0 <= depth <= layers:
        raise EncoderError(f"freezing: must be at most the encoder's {layers} layers, got {depth}")
    return depth
