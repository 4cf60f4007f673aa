"""Guards an encoder's files against each other before anything runs: config, weights, pointers."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors.numpy import load_file, save_file

from models.encoder_files import CONFIG, TOKENIZER, WEIGHTS, EncoderError, read_encoder_info
from tests.models.drawn_encoders import draw_encoder
from tests.models.published_forms import shard

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935\nsize 12345\n"


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a small BERT."""
    return draw_encoder(tmp_path_factory.mktemp("drawn"), "bert")


@pytest.fixture
def folder(drawn: Path, tmp_path: Path) -> Path:
    """Return a copy of it that a test may change."""
    return Path(shutil.copytree(drawn, tmp_path / "encoder"))


def configure(folder: Path, **changes: object) -> None:
    config = json.loads((folder / CONFIG).read_bytes())
    (folder / CONFIG).write_text(json.dumps(config | changes))


@pytest.mark.parametrize("prepare", [lambda folder: None, shard])
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"vocab_size": 5}, r"word_embeddings.weight has the shape \d+ x 24 .* makes it 5 x 24"),
        (
            {"max_position_embeddings": 512},
            "position_embeddings.weight has the shape 40 x 24 in the file, and config.json makes "
            "it 512 x 24",
        ),
        ({"type_vocab_size": 1}, "token_type_embeddings.weight has the shape 2 x 24 .* 1 x 24"),
        ({"hidden_size": 32}, "position_embeddings.weight has the shape 40 x 24 .* 40 x 32"),
        ({"num_hidden_layers": 4}, "weights of 3 layers, and num_hidden_layers is 4"),
        ({"num_hidden_layers": 1e30}, "num_hidden_layers: must be a whole number from 1 to 1000"),
        ({"num_hidden_layers": 10**30}, "num_hidden_layers: must be a whole number from 1 to"),
        ({"hidden_size": True}, "hidden_size: must be a whole number from 1 to .*, got True"),
    ],
)
def test_a_config_of_other_weights_is_refused_before_they_are_read(
    folder: Path, prepare: Callable[[Path], None], changes: dict[str, object], message: str
) -> None:
    prepare(folder)
    configure(folder, **changes)
    with pytest.raises(EncoderError, match=message):
        read_encoder_info(folder)


def test_fewer_layers_than_the_file_has_are_taken(folder: Path) -> None:
    configure(folder, num_hidden_layers=2)
    assert read_encoder_info(folder).layers == 2


@pytest.mark.parametrize("name", [CONFIG, WEIGHTS, TOKENIZER])
def test_a_pointer_of_git_lfs_is_named(folder: Path, name: str) -> None:
    (folder / name).write_text(POINTER)
    rule = f"{name}: is a pointer of Git LFS, not the file itself: git lfs pull gets it"
    with pytest.raises(EncoderError, match=rule):
        read_encoder_info(folder)


def test_an_adapter_of_peft_is_named(folder: Path) -> None:
    (folder / "adapter_config.json").write_text('{"peft_type": "LORA"}')
    assert read_encoder_info(folder).layers == 3  # a whole encoder beside it
    weights = load_file(folder / WEIGHTS)
    (folder / WEIGHTS).unlink()
    save_file(weights, folder / "adapter_model.safetensors")
    with pytest.raises(EncoderError, match="it holds an adapter of PEFT: merge_and_unload"):
        read_encoder_info(folder)
