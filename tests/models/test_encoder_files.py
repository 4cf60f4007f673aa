"""Guards the reading of an encoder's folder: its sizes, or an error that names the fault."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from models.encoder_files import (
    INDEX,
    PICKLE,
    TOKENIZER,
    VOCABULARY,
    WEIGHTS,
    EncoderError,
    find_files,
    frozen_layers,
    read_encoder_info,
)
from tests.models.drawn_encoders import draw_encoder
from tests.models.published_forms import move_inside, pickle_tensors, shard, shard_pickle


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
    with pytest.raises(
        EncoderError, match=r"must be one of bert, deberta-v2, .*, roberta, got 'gpt2'"
    ):
        read_encoder_info(folder)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("[]", "must hold a JSON object"),
        ('{"model_type": []}', r"model_type: must be one of .*, got \[\]"),
        (
            '{"model_type": "bert"}',
            "num_hidden_layers: must be a whole number from 1 to 1000, got",
        ),
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


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            '{"weight_map": {"a": "../model.safetensors"}}',
            "weight_map: must give the file of each",
        ),
        ('{"weight_map": {}}', "weight_map: must give the file of each"),
        ('{"weight_map": {"a": ["b"]}}', "weight_map: must give the file of each"),
        (
            '{"weight_map": {"a": "absent.safetensors"}}',
            r"no encoder here, absent.safetensors mis",
        ),
        ("{", "is not JSON"),
    ],
)
def test_a_broken_index_is_refused_with_a_reason(folder: Path, content: str, message: str) -> None:
    (folder / WEIGHTS).unlink()
    (folder / INDEX).write_text(content)
    with pytest.raises(EncoderError, match=message):
        read_encoder_info(folder)


@pytest.mark.parametrize("change", [shard, pickle_tensors, shard_pickle, move_inside])
def test_the_fingerprint_covers_each_file_that_is_read(
    folder: Path, change: Callable[[Path], None]
) -> None:
    change(folder)
    info = read_encoder_info(folder)
    found = {info.fingerprint}
    for name in info.files[1:]:
        path = info.folder / name
        path.write_bytes(path.read_bytes().replace(b" ", b"  ", 1) + b"\n")
        found.add(read_encoder_info(folder).fingerprint)
    assert len(found) == len(info.files)


def test_safetensors_go_before_a_pickle_beside_them(folder: Path) -> None:
    (folder / PICKLE).write_bytes(b"other")
    assert find_files(folder) == ("config.json", WEIGHTS, TOKENIZER)


@pytest.mark.parametrize(
    ("family", "name", "message"),
    [
        (
            "roberta",
            VOCABULARY,
            "tokenizer.json missing; an encoder folder has config.json, model",
        ),
        ("deberta-v2", "spm.model", r"spm.model is not read: AutoTokenizer.from_pretrained"),
    ],
)
def test_another_form_of_tokenizer_is_refused_with_the_way_out(
    family: str, name: str, message: str, tmp_path: Path
) -> None:
    folder = draw_encoder(tmp_path / family, family)
    (folder / TOKENIZER).rename(folder / name)
    with pytest.raises(EncoderError, match=message):
        read_encoder_info(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"is_decoder": True}, "is_decoder: must be false, got True"),
        (
            {"position_embedding_type": "relative_key"},
            "position_embedding_type: must be \"absolute\", got 'relative_key'",
        ),
        (
            {"transformers_weights": "other.safetensors"},
            "transformers_weights: must be null, got 'other.safetensors'",
        ),
        ({"pad_token_id": None}, "pad_token_id: must be a whole number below max_position"),
        ({"pad_token_id": 39}, "pad_token_id: must be a whole number below .*, got 39"),
    ],
)
def test_a_config_that_makes_no_encoder_is_refused(
    tmp_path: Path, change: dict[str, object], message: str
) -> None:
    path = draw_encoder(tmp_path, "roberta") / "config.json"
    path.write_text(json.dumps(json.loads(path.read_bytes()) | change))
    with pytest.raises(EncoderError, match=message):
        read_encoder_info(tmp_path)


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
