"""Guards plans of pretraining: what the words ask for is done, or refused in a sentence."""

from pathlib import Path

import pytest

from models.encoder_files import EncoderError
from tuning.cli import build_pretraining_parser, pretraining_options
from tuning.config.experiment import ConfigError
from tuning.pretraining.plan import Plan, make_plan
from tuning.system.project import ROOT


def plan_of(folder: Path, *words: str) -> Plan:
    text = folder / "text.txt"
    text.write_text("a line of text\n" * 40, encoding="utf-8")
    given = [word.replace("TEXT", str(text)) for word in words]
    args = build_pretraining_parser().parse_args(["--output", str(folder / "made"), *given])
    return make_plan(pretraining_options(args))


def test_a_sequence_must_fit_the_encoder_that_is_made_or_begun_with(tmp_path: Path) -> None:
    long = ("--corpus", "TEXT", "--set", "sequence_length=300")
    with pytest.raises(ConfigError, match=r"must be at most shape\.positions, 256, got 300"):
        plan_of(tmp_path, *long)
    with pytest.raises(EncoderError, match="takes 256 tokens, sequence_length must be at most"):
        plan_of(tmp_path, *long, "--init", "embedded")
    shape = tmp_path / "small.yaml"
    shape.write_text("name: small\nshape: {positions: 32}\n", encoding="utf-8")
    plan = plan_of(tmp_path, "--corpus", "TEXT", "--init", "embedded", "--config", str(shape))
    assert plan.positions == 256  # the encoder's, whatever the recipe says of another


@pytest.mark.parametrize("change", ["shape.layers=9", "vocabulary=500", "attention=plain"])
def test_what_an_encoder_brings_along_is_not_changed_in_silence(
    tmp_path: Path, change: str
) -> None:
    words = ("--corpus", "TEXT", "--set", change)
    assert plan_of(tmp_path, *words).init is None
    with pytest.raises(ConfigError, match=f"--set {change}: is of an encoder from scratch"):
        plan_of(tmp_path, *words, "--init", "embedded")


def test_held_out_files_need_a_corpus(tmp_path: Path) -> None:
    pairs = str(ROOT / "embedded/pairs")
    with pytest.raises(ConfigError, match="--heldout: needs --corpus"):
        plan_of(tmp_path, "--init", "embedded", "--adapt", pairs, "--heldout", "TEXT")
