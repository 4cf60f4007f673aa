"""Guards encoders as they are published: each form gives the states of the plain one."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from models.encoder import load_encoder
from models.encoder_files import PICKLE, WEIGHTS, EncoderError, read_encoder_info
from models.segments import FIRST, SECOND, SPECIAL
from tests.models.drawn_encoders import draw_encoder
from tests.models.published_forms import (
    add_head,
    add_longest,
    add_modules,
    move_inside,
    pickle_tensors,
    rename_norms,
    shard,
    shard_pickle,
)

TOKENS = torch.tensor([[0, 7, 8, 2, 2, 9, 2]])
SEGMENTS = torch.tensor([[SPECIAL, FIRST, FIRST, SPECIAL, SPECIAL, SECOND, SPECIAL]])


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of an encoder in its plain form."""
    return draw_encoder(tmp_path_factory.mktemp("drawn"), "bert")


@pytest.fixture
def folder(drawn: Path, tmp_path: Path) -> Path:
    """Return a copy of it that a test may change."""
    return Path(shutil.copytree(drawn, tmp_path / "encoder"))


@torch.no_grad()
def states(folder: Path) -> Tensor:
    lower, upper = load_encoder(folder, 2)
    return upper(lower(TOKENS, SEGMENTS), SEGMENTS)


FORMS = [
    shard,
    pickle_tensors,
    shard_pickle,
    add_head,
    rename_norms,
    move_inside,
    add_modules,
    add_longest,
]


@pytest.mark.parametrize("change", FORMS, ids=lambda change: change.__name__)
def test_each_form_gives_the_same_states(
    drawn: Path, folder: Path, change: Callable[[Path], None]
) -> None:
    change(folder)
    assert torch.equal(states(folder), states(drawn))
    assert read_encoder_info(folder).max_tokens == 40


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16])
def test_weights_in_half_precision_are_computed_with_in_float32(
    drawn: Path, folder: Path, kind: torch.dtype
) -> None:
    weights = {name: weight.to(kind) for name, weight in load_file(folder / WEIGHTS).items()}
    save_file(weights, folder / WEIGHTS, metadata={"format": "pt"})
    found = states(folder)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, states(drawn), atol=0.05, rtol=0.05)


def test_a_weight_that_is_no_finite_number_is_named(folder: Path) -> None:
    weights = {name: weight.half() for name, weight in load_file(folder / WEIGHTS).items()}
    name = "encoder.layer.0.intermediate.dense.weight"
    weights[name][0, 0] = 1e30  # infinite in float16
    save_file(weights, folder / WEIGHTS, metadata={"format": "pt"})
    with pytest.raises(EncoderError, match=f"{WEIGHTS}: {name} has a number that is not finite"):
        states(folder)


def test_a_head_of_a_roberta_is_left_out(tmp_path: Path) -> None:
    from transformers import AutoModelForSequenceClassification

    plain = draw_encoder(tmp_path / "plain", "roberta")
    shutil.copytree(plain, tmp_path / "headed")
    AutoModelForSequenceClassification.from_pretrained(plain).save_pretrained(tmp_path / "headed")
    assert any(name.startswith("roberta.") for name in load_file(tmp_path / "headed" / WEIGHTS))
    assert torch.equal(states(tmp_path / "headed"), states(plain))


class Payload:
    """An object whose pickle makes a folder when it is read."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("harmed",)


def test_a_pickle_that_runs_code_is_refused_and_not_run(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / WEIGHTS).unlink()
    torch.save({"embeddings.word_embeddings.weight": Payload()}, folder / PICKLE)
    monkeypatch.chdir(folder)
    with pytest.raises(EncoderError, match=r"pytorch_model.bin: must hold tensors alone: a pickl"):
        load_encoder(folder, 2)
    assert not (folder / "harmed").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hidden_act": "zzz"}, "the encoder cannot be loaded: KeyError: 'zzz'"),
        ({"norm_rel_ebd": 3}, "the encoder cannot be loaded: AttributeError"),
        ({"num_attention_heads": 5}, "is not a multiple of the number of attention heads"),
    ],
)
def test_a_config_that_the_library_cannot_use_is_an_encoder_error(
    tmp_path: Path, change: dict[str, object], message: str
) -> None:
    path = draw_encoder(tmp_path, "deberta-v2") / "config.json"
    path.write_text(json.dumps(json.loads(path.read_bytes()) | change))
    with pytest.raises(EncoderError, match=message):
        load_encoder(tmp_path, 2)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut", b"\x80\x04cut"])
def test_a_damaged_pickle_is_refused_by_name(folder: Path, content: bytes) -> None:
    (folder / WEIGHTS).unlink()
    (folder / PICKLE).write_bytes(content)
    with pytest.raises(EncoderError, match="encoder"):
        load_encoder(folder, 2)


def test_resized_embeddings_are_refused_with_both_shapes(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_bytes())
    rows = config["vocab_size"]
    (folder / "config.json").write_text(json.dumps(config | {"vocab_size": rows - 4}))
    shapes = rf"has the shape {rows} x 24 in the file, and config.json makes it {rows - 4} x 24"
    with pytest.raises(EncoderError, match=rf"word_embeddings.weight {shapes}"):
        load_encoder(folder, 2)


@pytest.mark.parametrize("form", [None, add_head])
def test_weights_of_more_layers_than_the_config_says_are_refused(
    folder: Path, form: Callable[[Path], object] | None
) -> None:
    if form is not None:
        form(folder)
    config = json.loads((folder / "config.json").read_bytes())
    layers = config["num_hidden_layers"]
    (folder / "config.json").write_text(json.dumps({**config, "num_hidden_layers": layers - 1}))
    message = rf"says {layers - 1} layers \(num_hidden_layers\), and \S+ holds {layers}: correct"
    with pytest.raises(EncoderError, match=message):
        load_encoder(folder, 1)
