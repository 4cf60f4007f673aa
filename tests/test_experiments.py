"""Guards the shipped experiments: each is valid and says what it is for."""

from pathlib import Path

import pytest

from tuning.config.loader import load_experiment

FOLDER = Path(__file__).resolve().parents[1] / "experiments"
RECIPES = set(FOLDER.glob("pretrain*.yaml"))  # for pretrain.py, see tuning/test_recipes.py
FILES = sorted(set(FOLDER.glob("*.yaml")) - RECIPES)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_shipped_experiment_is_valid_and_bears_its_files_name(path: Path) -> None:
    experiment = load_experiment(path)
    assert experiment.name == path.stem
    assert experiment.trials()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_shipped_experiment_opens_with_purpose_command_and_cost(path: Path) -> None:
    schema, text = path.read_text().split("\n", 1)
    assert schema == "# yaml-language-server: $schema=schema.json"
    assert text.startswith("# Purpose:")
    assert "\n# Command: python tuning/" in text
    assert "\n# Cost:" in text


def test_the_grid_is_the_assigned_one() -> None:
    trials = load_experiment(FOLDER / "grid.yaml").trials()
    cells = {(trial.freezing, trial.optimizer, trial.learning_rate) for trial in trials}
    rates, optimizers = (1e-3, 1e-2, 1e-1), ("adamw", "sgd")
    assert cells == {(f, o, r) for f in ("all", "some") for o in optimizers for r in rates}
    assert len(trials) == 12
