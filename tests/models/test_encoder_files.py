"""Guards the reading of an encoder's folder: its sizes, or an error that names the fault."""

import json
import shutil
from pathlib import Path

import pytest

from models.encoder_files import EncoderError, frozen_layers, read_encoder_info


@pytest.fixture
def folder(distilbert: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(distilbert, tmp_path / "encoder"))


@pytest.mark.parametrize("architecture", ["distilbert", "bert"])
def test_both_architectures_have_their_sizes_read(
    architecture: str, request: pytest.FixtureRequest
) -> None:
    info = read_encoder_info(request.getfixturevalue(architecture))
    assert info.architecture == architecture
    sizes = (info.layers, info.width, info.inner_width, info.max_tokens, info.vocabulary)
    assert sizes == (3, 12, 20, 30, 49)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json"])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(EncoderError, match=f"no encoder here, {name} missing; an encoder folder"):
        read_encoder_info(folder)


def test_another_architecture_is_refused_with_the_supported_ones(folder: Path) -> None:
    (folder / "config.json").write_text(json.dumps({"model_type": "gpt2"}))
    with pytest.raises(EncoderError, match="must be one of bert, distilbert, got 'gpt2'"):
        read_encoder_info(folder)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not JSON"),
        ("[]", "must hold a JSON object"),
        ('{"model_type": "bert"}', "num_hidden_layers: must be a whole number above 0, got None"),
    ],
)
def test_a_broken_config_is_refused_with_a_reason(folder: Path, text: str, message: str) -> None:
    (folder / "config.json").write_text(text)
    with pytest.raises(EncoderError, match=message):
        read_encoder_info(folder)


def test_a_changed_byte_in_any_file_changes_the_fingerprint(folder: Path) -> None:
    found = {read_encoder_info(folder).fingerprint}
    for name in ("model.safetensors", "tokenizer.json"):
        content = bytearray((folder / name).read_bytes())
        content[-1] ^= 1
        (folder / name).write_bytes(content)
        found.add(read_encoder_info(folder).fingerprint)
    assert len(found) == 3


@pytest.mark.parametrize(("layers", "some"), [(2, 1), (3, 2), (4, 3), (6, 4), (12, 8)])
def test_some_is_two_thirds_with_a_layer_on_either_side(layers: int, some: int) -> None:
    assert frozen_layers("some", layers) == some
    assert (frozen_layers("all", layers), frozen_layers("none", layers)) == (layers, 0)
    assert frozen_layers(1, layers) == 1


@pytest.mark.parametrize("freezing", [4, -1])
def test_a_number_of_layers_out_of_range_is_refused(freezing: int) -> None:
    with pytest.raises(EncoderError, match=rf"must be .* 3 layers, got {freezing}"):
        frozen_layers(freezing, 3)


def test_some_of_one_layer_is_refused() -> None:
    with pytest.raises(EncoderError, match="some needs an encoder of at least 2 layers"):
        frozen_layers("some", 1)
