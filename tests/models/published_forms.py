"""Changes of an encoder's folder into the other forms in which encoders are published."""

import json
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

from models.encoder_files import INDEX, PICKLE, PICKLE_INDEX, TOKENIZER, VOCABULARY, WEIGHTS


def shard(folder: Path) -> None:
    """Replace the weights by two files and their index."""
    weights = load_file(folder / WEIGHTS)
    names = sorted(weights)
    placed = {name: f"model-0000{1 + n % 2}-of-00002.safetensors" for n, name in enumerate(names)}
    for file in set(placed.values()):
        part = {name: weights[name] for name in names if placed[name] == file}
        save_file(part, folder / file, metadata={"format": "pt"})
    (folder / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": placed}))
    (folder / WEIGHTS).unlink()


def pickle_tensors(folder: Path) -> None:
    """Replace the weights by a pickle of the same tensors."""
    torch.save(load_file(folder / WEIGHTS), folder / PICKLE)
    (folder / WEIGHTS).unlink()


def shard_pickle(folder: Path) -> None:
    """Replace the weights by two pickles of tensors and their index."""
    shard(folder)
    index = json.loads((folder / INDEX).read_bytes())
    for name, file in index["weight_map"].items():
        index["weight_map"][name] = file.replace("model", "pytorch_model").replace(
            "safetensors", "bin"
        )
    for path in folder.glob("model-*.safetensors"):
        torch.save(load_file(path), folder / f"pytorch_{path.stem}.bin")
        path.unlink()
    (folder / PICKLE_INDEX).write_text(json.dumps(index))
    (folder / INDEX).unlink()


def add_head(folder: Path) -> None:
    """Replace the weights by those of a classifier: with a prefix, and weights of a head."""
    weights = {f"bert.{name}": weight for name, weight in load_file(folder / WEIGHTS).items()}
    weights |= {"classifier.weight": torch.ones(2, 24), "classifier.bias": torch.ones(2)}
    save_file(weights, folder / WEIGHTS, metadata={"format": "pt"})


def rename_norms(folder: Path) -> None:
    """Replace the names of the norms' weights by those that the first checkpoints have."""
    weights = {
        name.replace("LayerNorm.weight", "LayerNorm.gamma").replace(
            "LayerNorm.bias", "LayerNorm.beta"
        ): weight
        for name, weight in load_file(folder / WEIGHTS).items()
    }
    save_file(weights, folder / WEIGHTS, metadata={"format": "pt"})


def move_inside(folder: Path) -> None:
    """Move the files to where sentence-transformers had them first."""
    (folder / "0_Transformer").mkdir()
    for path in [path for path in folder.iterdir() if path.is_file()]:
        path.rename(folder / "0_Transformer" / path.name)
    (folder / "modules.json").write_text('[{"idx": 0, "path": "0_Transformer"}]')


def add_modules(folder: Path) -> None:
    """Add what sentence-transformers has beside an encoder in its root."""
    (folder / "modules.json").write_text('[{"idx": 0, "path": ""}]')
    (folder / "1_Pooling").mkdir()


def add_longest(folder: Path) -> None:
    """Add a tokenizer's config without a limit of its own."""
    (folder / "tokenizer_config.json").write_text('{"model_max_length": 1e30}')


def write_vocabulary(folder: Path, config: dict[str, object] | None) -> None:
    """Replace the tokenizer by its list of word pieces."""
    pieces = Tokenizer.from_file(str(folder / TOKENIZER)).get_vocab()
    text = "".join(f"{piece}\n" for piece in sorted(pieces, key=pieces.__getitem__))
    (folder / VOCABULARY).write_text(text, encoding="utf-8")
    (folder / TOKENIZER).unlink()
    if config is not None:
        (folder / "tokenizer_config.json").write_text(json.dumps(config))
