"""Guards recipes: the shipped ones are valid, and every problem is reported at once."""

from pathlib import Path

import pytest

from tuning.config.experiment import ConfigError
from tuning.pretraining.recipe import load_recipe
from tuning.system.project import ROOT

SHIPPED = sorted((ROOT / "experiments").glob("pretrain*.yaml"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_a_shipped_recipe_is_valid_and_has_purpose_command_and_cost(path: Path) -> None:
    assert load_recipe(path, []).name
    head = path.read_text(encoding="utf-8")
    assert all(f"# {word}:" in head for word in ("Purpose", "Command", "Cost"))


def recipe_file(folder: Path, text: str) -> Path:
    path = folder / "recipe.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_every_problem_is_reported_at_once(tmp_path: Path) -> None:
    text = "name: mine\nvocabulary: 8\nsequence_lenght: 32\nshape: {width: 10, heads: 4}\n"
    with pytest.raises(ConfigError) as caught:
        load_recipe(recipe_file(tmp_path, text), ["corpus.learning_rate=2e-5"])
    message = str(caught.value)
    assert "vocabulary: must be at least 64, got 8" in message
    assert "sequence_lenght: unknown key; did you mean sequence_length?" in message
    assert "width must be a multiple of heads, got 10, 4" in message
    assert "corpus.learning_rate: must be a number, got the text '2e-5' (write 2.0e-5)" in message


def test_a_phase_keeps_its_defaults_for_the_fields_that_are_left_out(tmp_path: Path) -> None:
    path = recipe_file(tmp_path, "name: mine\nadaptation: {batch_size: 16}\n")
    recipe = load_recipe(path, ["corpus.batch_size=64", "adaptation.steps=300"])
    assert (recipe.corpus.steps, recipe.corpus.batch_size) == (1000, 64)
    phase = recipe.adaptation
    assert (phase.steps, phase.batch_size, phase.learning_rate) == (300, 16, 5e-4)


def test_betas_are_two_numbers_below_one(tmp_path: Path) -> None:
    path = recipe_file(tmp_path, "name: mine\n")
    assert load_recipe(path, ["corpus.betas=[0.8, 0.95]"]).corpus.betas == (0.8, 0.95)
    with pytest.raises(ConfigError, match=r"corpus\.betas\[1\]: must be below 1, got 1\.0"):
        load_recipe(path, ["corpus.betas=[0.8, 1.0]"])


def test_a_budget_of_time_is_finite(tmp_path: Path) -> None:
    path = recipe_file(tmp_path, "name: mine\n")
    with pytest.raises(ConfigError, match=r"corpus\.minutes: .*finite"):
        load_recipe(path, ["corpus.minutes=.inf"])


def test_a_phase_has_one_budget_and_an_override_replaces_it(tmp_path: Path) -> None:
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
