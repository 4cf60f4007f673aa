"""Guards the cut encoder: both parts together are the whole one, wherever it is cut."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModel

from models.encoder import load_encoder
from models.encoder_files import EncoderError
from models.segments import FIRST, PADDING, SECOND, SPECIAL
from tuning.system.project import EMBEDDED

TOKENS = torch.tensor([[2, 7, 8, 3, 9, 3], [2, 11, 3, 12, 3, 0]])
SEGMENTS = torch.tensor(
    [
        [SPECIAL, FIRST, FIRST, SPECIAL, SECOND, SPECIAL],
        [SPECIAL, FIRST, SPECIAL, SECOND, SPECIAL, PADDING],
    ]
)


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("depth", [0, 1, 2, 3])
@pytest.mark.parametrize("architecture", ["distilbert", "bert"])
@torch.no_grad()
def test_both_parts_together_are_the_whole_encoder(
    architecture: str, depth: int, attention: str, request: pytest.FixtureRequest
) -> None:
    folder: Path = request.getfixturevalue(architecture)
    lower, upper = load_encoder(
        folder, depth, attention="eager" if attention == "eager" else "sdpa"
    )
    whole = AutoModel.from_pretrained(
        folder, **({"add_pooling_layer": False} if architecture == "bert" else {})
    )
    mask = (SEGMENTS != PADDING).long()
    types = {"token_type_ids": torch.tensor([[0, 0, 0, 0, 1, 1], [0, 0, 0, 1, 1, 1]])}
    expected = whole.eval()(
        TOKENS, attention_mask=mask, **(types if architecture == "bert" else {})
    )
    states = upper(lower(TOKENS, SEGMENTS) if depth else TOKENS, SEGMENTS)
    real = SEGMENTS != PADDING
    torch.testing.assert_close(states[real], expected.last_hidden_state[real])


@torch.no_grad()
def test_padding_does_not_change_states(distilbert: Path) -> None:
    lower, _ = load_encoder(distilbert, 3)
    alone = lower(TOKENS[1:, :5], SEGMENTS[1:, :5])
    torch.testing.assert_close(lower(TOKENS, SEGMENTS)[1:, :5], alone)


@pytest.mark.parametrize("architecture", ["distilbert", "bert"])
@torch.no_grad()
def test_the_mean_of_all_layers_stands_beside_the_highest_and_goes_on(
    architecture: str, request: pytest.FixtureRequest
) -> None:
    folder: Path = request.getfixturevalue(architecture)
    embeddings = load_encoder(folder, 0)[1]
    embeddings.layers = torch.nn.ModuleList()
    cut = [load_encoder(folder, depth)[0] for depth in (1, 2, 3)]
    each = [part(TOKENS, SEGMENTS) for part in (embeddings, *cut)]
    lower, upper = load_encoder(folder, 3, layer_mean=True)
    states = lower(TOKENS, SEGMENTS)
    mean = torch.stack(each).mean(dim=0)
    torch.testing.assert_close(states, torch.cat([mean, each[-1]], dim=-1))
    torch.testing.assert_close(upper(states, SEGMENTS), mean)
    trained = load_encoder(folder, 2, layer_mean=True)
    torch.testing.assert_close(trained[0](TOKENS, SEGMENTS), each[2])
    torch.testing.assert_close(trained[1](each[2], SEGMENTS), each[3])


def test_missing_weights_are_named_and_not_drawn_at_random(
    distilbert: Path, tmp_path: Path
) -> None:
    for name in ("config.json", "tokenizer.json"):
        (tmp_path / name).write_bytes((distilbert / name).read_bytes())
    weights = load_file(distilbert / "model.safetensors")
    dropped = next(name for name in weights if name.endswith("layer.1.ffn.lin1.weight"))
    del weights[dropped]
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(
        EncoderError, match=r"1 weights missing, the first is \S*ffn\.lin1\.weight"
    ):
        load_encoder(tmp_path, 2)


def test_weights_of_wrong_sizes_raise_an_encoder_error(distilbert: Path, tmp_path: Path) -> None:
    for file in distilbert.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    config = json.loads((tmp_path / "config.json").read_bytes())
    (tmp_path / "config.json").write_text(json.dumps(config | {"hidden_dim": 24}))
    with pytest.raises(EncoderError, match="the encoder cannot be loaded"):
        load_encoder(tmp_path, 2)


def test_truncated_weights_raise_an_encoder_error(distilbert: Path, tmp_path: Path) -> None:
    for file in distilbert.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "model.safetensors").write_bytes(b"cut")
    with pytest.raises(EncoderError, match="the encoder cannot be loaded"):
        load_encoder(tmp_path, 2)


def test_unused_weights_of_a_head_are_not_reported(
    capfd: pytest.CaptureFixture[str],
) -> None:
    load_encoder(EMBEDDED / "encoder", 4)
    assert capfd.readouterr() == ("", "")
