"""Guards the comparison of pretraining: both sides train on the same text, step by step."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.pretraining import Side, prepare, run_ours, run_trainer, show
from models.masked_language_model import build_model
from tuning.pretraining.recipe import load_recipe
from tuning.system.project import ROOT

pytestmark = pytest.mark.slow

STEPS = 12


def test_both_sides_take_the_steps_and_begin_with_the_same_loss(tmp_path: Path) -> None:
    words = ["a", "hash", "table", "maps", "keys", "to", "values", "in", "memory"]
    draw = np.random.default_rng(0)
    lines = [" ".join(draw.choice(words, 20)) for _ in range(100)]
    (tmp_path / "text.txt").write_text("\n".join(lines), encoding="utf-8")
    changes = [f"corpus.steps={STEPS}", "corpus.batch_size=4", "sequence_length=16"]
    recipe = load_recipe(ROOT / "experiments/pretrain_embedded.yaml", changes)
    text = prepare([tmp_path / "text.txt"], recipe, tmp_path)
    shape = recipe.shape.model_dump() | {"layers": 1, "width": 32, "inner_width": 40}
    ours, theirs = Side(), Side()
    run_ours(text, build_model(text.vocabulary.size, shape, seed=0), recipe.corpus, ours)
    run_trainer(text, build_model(text.vocabulary.size, shape, seed=0), recipe.corpus, theirs)
    assert [len(side.losses[0]) for side in (ours, theirs)] == [STEPS, STEPS]
    assert ours.losses[0][0] == pytest.approx(theirs.losses[0][0], abs=0.05)  # other masks
    assert min(ours.tokens_per_second[0], theirs.tokens_per_second[0]) > 0
    assert [str(cell) for cell in show(ours, theirs).columns[0].cells] == [
        "this program",
        "Trainer",
    ]
