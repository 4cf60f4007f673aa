"""Guards recipes: the shipped ones are valid, and every problem is told at once."""

from pathlib import Path

import pytest

from tuning.config import ConfigError
from tuning.options import ROOT
from tuning.recipes import load_recipe

SHIPPED = sorted((ROOT / "experiments").glob("pretrain*.yaml"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_a_shipped_recipe_is_valid_and_says_purpose_command_and_cost(path: Path) -> None:
    assert load_recipe(path, []).name
    head = path.read_text(encoding="utf-8")
    assert all(f"# {word}:" in head for word in ("Purpose", "Command", "Cost"))


def recipe_file(folder: Path, text: str) -> Path:
    path = folder / "recipe.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    text = "name: mine\nvocabulary: 8\nsequence_lenght: 32\nshape: {width: 10, heads: 4}\n"
    with pytest.raises(ConfigError) as caught:
        load_recipe(recipe_file(tmp_path, text), ["corpus.learning_rate=2e-5"])
    message = str(caught.value)
    assert "vocabulary: must be at least 64, got 8" in message
    assert "sequence_lenght: unknown key; did you mean sequence_length?" in message
    assert "width must be a multiple of heads, got 10, 4" in message
    assert "corpus.learning_rate: must be a number, got the text '2e-5' (write 2.0e-5)" in message


def test_a_sequence_must_fit_the_encoder(tmp_path: Path) -> None:
    path = recipe_file(tmp_path, "name: mine\nsequence_length: 300\n")
    with pytest.raises(ConfigError, match=r"must be at most shape\.positions, 256, got 300"):
        load_recipe(path, [])


def test_a_phase_has_one_budget_and_an_override_takes_its_place(tmp_path: Path) -> None:
    path = recipe_file(tmp_path, "name: mine\ncorpus: {steps: 5, minutes: 1.0}\n")
    with pytest.raises(ConfigError, match="must have a budget, either steps or minutes"):
        load_recipe(path, [])
    path = recipe_file(tmp_path, "name: mine\ncorpus: {steps: 5}\n")
    phase = load_recipe(path, ["corpus.minutes=2.5"]).corpus
    assert (phase.steps, phase.minutes) == (None, 2.5)


def test_an_override_without_a_value_or_inside_a_value_is_refused(tmp_path: Path) -> None:
    path = recipe_file(tmp_path, "name: mine\n")
    with pytest.raises(ConfigError) as caught:
        load_recipe(path, ["seed", "name.first=1"])
    assert "--set seed: must be key=value" in str(caught.value)
    assert "--set name.first=1: name holds a value and has no first" in str(caught.value)
