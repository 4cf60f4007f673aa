"""Guards plans of pretraining: options that do not go together are refused with the reason."""

from pathlib import Path

import pytest

from models.encoder_files import EncoderError
from tuning.cli import pretraining_options
from tuning.config.experiment import ConfigError
from tuning.parsers import build_pretraining_parser
from tuning.pretraining.plan import SCRATCH, Plan, make_plan
from tuning.system.project import ROOT


def plan_of(folder: Path, *words: str) -> Plan:
    text = folder / "text.txt"
    text.write_text("a line of text\n" * 40, encoding="utf-8")
    given = [word.replace("TEXT", str(text)) for word in words]
    args = build_pretraining_parser().parse_args(["--output", str(folder / "made"), *given])
    return make_plan(pretraining_options(args))


def test_an_encoder_is_from_scratch_unless_one_is_named() -> None:
    parse = build_pretraining_parser().parse_args
    assert parse(["--output", "made"]).init == SCRATCH
    assert parse(["--output", "made", "--init", "embedded"]).init == "embedded"


def test_a_sequence_must_fit_the_encoder_from_scratch_or_the_given_one(tmp_path: Path) -> None:
    long = ("--corpus", "TEXT", "--set", "sequence_length=300")
    with pytest.raises(ConfigError, match=r"must be at most shape\.positions, 256, got 300"):
        plan_of(tmp_path, *long)
    with pytest.raises(EncoderError, match="takes 256 tokens, sequence_length must be at most"):
        plan_of(tmp_path, *long, "--init", "embedded")
    shape = tmp_path / "small.yaml"
    shape.write_text("name: small\nshape: {positions: 32}\n", encoding="utf-8")
    plan = plan_of(tmp_path, "--corpus", "TEXT", "--init", "embedded", "--config", str(shape))
    assert plan.positions == 256  # the encoder's, not the recipe's


@pytest.mark.parametrize(
    "change", ["shape.layers=9", "shape={layers: 2}", "vocabulary=500", "attention=plain"]
)
def test_a_change_that_the_given_encoder_would_ignore_is_refused(
    tmp_path: Path, change: str
) -> None:
    words = ("--corpus", "TEXT", "--set", change)
    assert plan_of(tmp_path, *words).init is None
    with pytest.raises(ConfigError, match=f"--set {change}: belongs to an encoder from scratch"):
        plan_of(tmp_path, *words, "--init", "embedded")


def test_held_out_files_need_a_corpus(tmp_path: Path) -> None:
    pairs = str(ROOT / "embedded/pairs")
    with pytest.raises(ConfigError, match="--heldout: needs --corpus"):
        plan_of(tmp_path, "--init", "embedded", "--adapt", pairs, "--heldout", "TEXT")


def test_training_needs_text(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--corpus, --adapt: must have one of them or both"):
        plan_of(tmp_path, "--init", "embedded")
    with pytest.raises(ConfigError, match="--init scratch: needs --corpus"):
        plan_of(tmp_path, "--adapt", "embedded")
