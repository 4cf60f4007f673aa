"""Guards the export of a trained encoder: it computes what the classifier's encoder computes."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from models import export_encoder
from models.batches import RowReader
from models.checkpoint import load_classifier, read_card, save_classifier
from models.classifier import run_frozen
from models.encoder import load_encoder
from models.encoder_files import read_encoder_info
from models.ensemble import write_ensemble
from models.families import FAMILIES
from models.segments import PADDING
from models.tokens import build_table, encode_texts, load_tokenizer
from tests.models.drawn_encoders import LAYERS, TEXT, draw_encoder
from tests.models.untrained import save


def trained(folder: Path, family: str, depth: int) -> Path:
    """Return the folder of a classifier whose upper layers differ from its encoder's."""
    encoder = draw_encoder(folder / "encoder", family)
    saved = save(folder / "trial/model", encoder, depth=depth)
    model, card = load_classifier(saved, encoder), read_card(saved)
    torch.manual_seed(5)
    with torch.no_grad():
        for weight in model.upper.parameters():
            if weight.requires_grad:
                weight += 0.1 * torch.randn_like(weight)
    save_classifier(saved, model, {k: v for k, v in card.items() if k not in ("format", "sha256")})
    return saved


@pytest.mark.parametrize("depth", [0, 1])
@pytest.mark.parametrize("family", sorted(FAMILIES))
@torch.no_grad()
def test_the_exported_encoder_has_the_states_of_the_classifier(
    tmp_path: Path, family: str, depth: int
) -> None:
    saved = trained(tmp_path, family, depth)
    assert export_encoder.export_encoder(saved, tmp_path / "made") == LAYERS - depth
    tokenizer, special = load_tokenizer(tmp_path / "made")
    ids = [text[:12] for text in encode_texts(tokenizer, TEXT)]
    table = build_table([(ids[0], ids[1]), (ids[2][:4], ids[3])], special, 2)
    batch = RowReader(table, None, torch.device("cpu")).read(np.arange(2))
    model = load_classifier(saved, tmp_path / "encoder")
    states = batch.inputs
    if model.lower is not None:
        states = run_frozen(model.lower, states, batch.segments, torch.float32)
    expected = model.upper(states, batch.segments)
    whole, _ = load_encoder(tmp_path / "made", LAYERS)
    before, _ = load_encoder(tmp_path / "encoder", LAYERS)
    real = batch.segments != PADDING
    found = whole(batch.inputs, batch.segments)[real]
    torch.testing.assert_close(found, expected[real], atol=2e-6, rtol=2e-5)
    assert (found - before(batch.inputs, batch.segments)[real]).abs().max() > 0.01
    made = read_encoder_info(tmp_path / "made")
    assert made.fingerprint != read_encoder_info(tmp_path / "encoder").fingerprint


def run(monkeypatch: pytest.MonkeyPatch, model: Path, output: Path) -> int:
    monkeypatch.setattr("sys.argv", ["x", "--model", str(model), "--output", str(output)])
    return export_encoder.main()


def test_the_command_says_what_it_wrote_and_what_comes_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    saved, output = trained(tmp_path, "bert", 1), tmp_path / "deep/er/made"
    assert run(monkeypatch, saved, output) == 0
    assert capsys.readouterr().out == (
        f"{output}: 2 layers were trained, with encoding: pair\n"
        f"Next: python tuning/run_grid.py --encoder {output} --set encoding=pair\n"
    )
    assert [path.name for path in output.parent.iterdir()] == ["made"]


def test_the_folder_of_a_launch_stands_for_its_best_classifier(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    saved, output = trained(tmp_path, "bert", LAYERS - 1), tmp_path / "made"
    assert run(monkeypatch, tmp_path, output) == 0
    told = capsys.readouterr().out
    assert told.startswith(f"Model: {saved}, the best in {tmp_path} by validation F1\n")
    assert f"{output}: 1 layer was trained" in told


def test_of_an_ensemble_one_classifier_must_be_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    saved = trained(tmp_path, "bert", 1)
    write_ensemble(tmp_path / "served", [saved, saved], tmp_path / "encoder", 0.5)
    assert run(monkeypatch, tmp_path / "served", tmp_path / "made") == 2
    told = capsys.readouterr().err
    assert "got an ensemble of 2; name one of them, as " in told
    assert run(monkeypatch, tmp_path / "served/member-1", tmp_path / "made") == 0


def test_what_cannot_be_exported_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    frozen = save(tmp_path / "trial/model", draw_encoder(tmp_path / "encoder", "bert"), depth=3)
    assert run(monkeypatch, frozen, tmp_path / "made") == 2
    assert "all 3 layers were frozen" in capsys.readouterr().err
    assert run(monkeypatch, tmp_path / "none", tmp_path / "made") == 2
    assert "none: must hold a saved classifier" in capsys.readouterr().err
    saved = trained(tmp_path / "other", "bert", 1)
    assert run(monkeypatch, saved, tmp_path / "trial") == 2
    assert "exists already; give a folder that does not" in capsys.readouterr().err
    shutil.rmtree(tmp_path / "other/encoder")
    assert run(monkeypatch, saved, tmp_path / "made") == 2
    assert "its encoder" in capsys.readouterr().err
    assert not (tmp_path / "made").exists()
