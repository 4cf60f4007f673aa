"""Guards which files of a repository are downloaded, and when a folder has all of them."""

import json
from pathlib import Path

import pytest

from tuning.download.hub_files import choose_files, is_whole

SAFE, PICKLE = "model.safetensors", "pytorch_model.bin"
SHARDS = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
OTHERS = ["README.md", "tf_model.h5", "onnx/model.onnx", "1_Pooling/config.json", "model.fp16.bin"]


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        (["config.json", "tokenizer.json", SAFE], ["config.json", "tokenizer.json", SAFE]),
        ([PICKLE, SAFE, "vocab.txt", "config.json"], ["config.json", "vocab.txt", SAFE]),
        (["config.json", "vocab.txt", PICKLE], ["config.json", "vocab.txt", PICKLE]),
        (
            [*SHARDS, PICKLE, f"{SAFE}.index.json", "config.json", "tokenizer.json"],
            ["config.json", "tokenizer.json", f"{SAFE}.index.json", *SHARDS],
        ),
        ([*SHARDS, PICKLE, "config.json", "vocab.txt"], ["config.json", "vocab.txt", PICKLE]),
        (
            ["0_Transformer/config.json", f"0_Transformer/{SAFE}", "0_Transformer/vocab.txt"],
            ["0_Transformer/config.json", "0_Transformer/vocab.txt", f"0_Transformer/{SAFE}"],
        ),
        (["tokenizer.json", SAFE], []),
        (["config.json", SAFE], []),
        (["config.json", "tokenizer.json", "tf_model.h5"], []),
    ],
)
def test_safetensors_are_preferred_and_a_pickle_is_taken_alone(
    names: list[str], chosen: list[str]
) -> None:
    assert choose_files([*names, *OTHERS]) == chosen


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with an encoder in two pieces."""
    pieces = {"weight_map": {"a": SHARDS[0], "b": SHARDS[1]}}
    (tmp_path / f"{SAFE}.index.json").write_text(json.dumps(pieces))
    for name in ("config.json", "tokenizer.json", *SHARDS):
        (tmp_path / name).touch()
    return tmp_path


def test_a_folder_is_whole_with_every_piece(folder: Path) -> None:
    assert is_whole(folder)


@pytest.mark.parametrize(
    "name", ["config.json", "tokenizer.json", f"{SAFE}.index.json", SHARDS[1]]
)
def test_a_folder_without_one_of_its_files_is_not_whole(folder: Path, name: str) -> None:
    (folder / name).unlink()
    assert not is_whole(folder)


def test_a_folder_with_a_tokenizer_that_is_not_read_is_not_whole(folder: Path) -> None:
    (folder / "tokenizer.json").rename(folder / "vocab.json")
    assert not is_whole(folder)


@pytest.mark.parametrize("content", ["", "[]", '{"weight_map": 1}'])
def test_a_folder_with_a_damaged_index_is_not_whole(folder: Path, content: str) -> None:
    (folder / f"{SAFE}.index.json").write_text(content)
    assert not is_whole(folder)
