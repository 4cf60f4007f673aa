"""Guards saved classifiers: loading keeps the logits, and altered files are refused."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from models.checkpoint import (
    CARD,
    EXPORT,
    WEIGHTS,
    AbsentEncoderError,
    CheckpointError,
    find_encoder,
    load_classifier,
    read_card,
    save_classifier,
)
from models.classifier import Classifier
from models.encoder import load_encoder
from models.encoder_files import read_encoder_info
from models.heads import FeatureBranch, build_head
from models.segments import FIRST, SECOND, SPECIAL
from tuning.system.project import EMBEDDED

ENCODER = EMBEDDED / "encoder"
TOKENS = torch.tensor([[2, 17, 40, 3, 99, 3]])
SEGMENTS = torch.tensor([[SPECIAL, FIRST, FIRST, SPECIAL, SECOND, SPECIAL]])


def save(
    folder: Path, depth: int, *, features: bool = False, precision: str = "float32"
) -> Classifier:
    torch.manual_seed(0)
    lower, upper = load_encoder(ENCODER, depth, attention="eager")
    head: dict[str, Any] = {
        "name": "cross_attention",
        "width": 256,
        "head_width": 6,
        "dropout": 0.1,
    }
    branch = FeatureBranch(torch.ones(3), torch.full((3,), 2.0), 6, 2, 0.1) if features else None
    model = Classifier(lower if depth else None, upper, build_head(**head), branch=branch).eval()
    with torch.no_grad():
        for weight in model.upper.parameters():
            weight.add_(0.01)  # as training would
    fingerprint = read_encoder_info(ENCODER).fingerprint
    card = {"encoder": {"fingerprint": fingerprint, "depth": depth}, "head": head}
    save_classifier(folder, model, {**card, "precision": precision})
    return model


@pytest.mark.parametrize("depth", [0, 3, 4])
@pytest.mark.parametrize("from_export", [False, True])
def test_a_loaded_classifier_gives_the_same_logits(
    tmp_path: Path, depth: int, from_export: bool
) -> None:
    model = save(tmp_path, depth)
    loaded = load_classifier(tmp_path, ENCODER, from_export=from_export)
    with torch.no_grad():
        torch.testing.assert_close(loaded(TOKENS, SEGMENTS), model(TOKENS, SEGMENTS))


def test_a_loaded_classifier_computes_in_the_precision_of_its_card(tmp_path: Path) -> None:
    save(tmp_path / "one", 3, precision="bfloat16")
    save(tmp_path / "two", 3, precision="float32 frozen, bfloat16 trained")
    one, two = (load_classifier(tmp_path / name, ENCODER) for name in ("one", "two"))
    assert (one.frozen_precision, one.precision) == (torch.bfloat16, torch.bfloat16)
    assert (two.frozen_precision, two.precision) == (torch.float32, torch.bfloat16)
    save(tmp_path / "three", 3, precision="float8")
    with pytest.raises(CheckpointError, match="cannot be loaded: precision: must be one of"):
        load_classifier(tmp_path / "three", ENCODER)


def test_a_branch_is_loaded_with_the_scale_it_was_trained_on(tmp_path: Path) -> None:
    model = save(tmp_path, 4, features=True)
    loaded = load_classifier(tmp_path, ENCODER)
    features = torch.tensor([[0.3, 5.0, -1.0]])
    with torch.no_grad():
        expected = model(TOKENS, SEGMENTS, features)
        torch.testing.assert_close(loaded(TOKENS, SEGMENTS, features), expected)
    with pytest.raises(ValueError, match="has a branch and needs the pairs' features"):
        loaded(TOKENS, SEGMENTS)


def test_frozen_layers_are_not_saved_again(tmp_path: Path) -> None:
    save(tmp_path, 4)
    assert (tmp_path / WEIGHTS).stat().st_size < 20_000


@pytest.mark.parametrize("name", [WEIGHTS, EXPORT])
def test_an_altered_file_is_refused_by_name(tmp_path: Path, name: str) -> None:
    save(tmp_path, 4)
    content = bytearray((tmp_path / name).read_bytes())
    content[-1] ^= 1
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CheckpointError, match=rf"{name}: sha256 must be \w+, got \w+"):
        load_classifier(tmp_path, ENCODER)


def test_a_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    save(tmp_path, 4)
    (tmp_path / WEIGHTS).unlink()
    with pytest.raises(CheckpointError, match=rf"{WEIGHTS}: sha256 must be \w+, got no file"):
        read_card(tmp_path)


def test_the_pickle_may_be_absent_unless_it_is_asked_for(tmp_path: Path) -> None:
    save(tmp_path, 4)
    (tmp_path / EXPORT).unlink()
    load_classifier(tmp_path, ENCODER)
    with pytest.raises(CheckpointError, match=f"{EXPORT}: is missing; {WEIGHTS} has the same"):
        load_classifier(tmp_path, ENCODER, from_export=True)


def test_another_encoder_is_refused(tmp_path: Path) -> None:
    save(tmp_path / "model", 4)
    other = tmp_path / "encoder"
    other.mkdir()
    for file in ENCODER.iterdir():
        (other / file.name).write_bytes(file.read_bytes())
    with (other / "config.json").open("a") as file:
        file.write("\n")
    with pytest.raises(CheckpointError, match=r"encoder: must be encoder \w+, got \w+"):
        load_classifier(tmp_path / "model", other)


def test_an_encoder_that_lies_nowhere_is_named(tmp_path: Path) -> None:
    save(tmp_path, 4)
    assert find_encoder(tmp_path, [ENCODER]) == ENCODER
    fingerprint = read_encoder_info(ENCODER).fingerprint
    with pytest.raises(AbsentEncoderError, match=f"its encoder {fingerprint} is in no") as caught:
        find_encoder(tmp_path)
    command = "mlflow artifacts download --artifact-path encoder --dst-path"
    assert f"{command} {tmp_path} --run-id ID" in str(caught.value)
    shutil.copytree(ENCODER, tmp_path / "encoder")  # as that command does
    assert find_encoder(tmp_path) == tmp_path / "encoder"


def test_a_neighbour_that_cannot_be_read_is_passed_over(tmp_path: Path) -> None:
    neighbour = shutil.copytree(ENCODER, tmp_path / "encoder")
    (neighbour / "config.json").unlink()
    (neighbour / "config.json").symlink_to("/proc/self/mem")  # is a file, and reading it fails
    save(tmp_path / "model", 4)
    assert find_encoder(tmp_path / "model", [ENCODER]) == ENCODER


@pytest.mark.parametrize("encoder", [None, "bert", {"depth": 4}])
def test_a_card_without_an_encoder_is_refused(tmp_path: Path, encoder: object) -> None:
    save(tmp_path, 4)
    card = json.loads((tmp_path / CARD).read_text())
    (tmp_path / CARD).write_text(json.dumps(card | {"encoder": encoder}))
    with pytest.raises(CheckpointError, match="encoder: must have a fingerprint, got"):
        find_encoder(tmp_path)


@pytest.mark.parametrize("content", ["", "[]", '{"format": 2}'])
def test_a_file_that_is_no_card_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / CARD).write_text(content)
    with pytest.raises(CheckpointError, match=CARD):
        read_card(tmp_path)
