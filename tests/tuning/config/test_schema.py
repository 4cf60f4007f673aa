"""Guards the schemas in experiments/: they are current, and take what the loader takes."""

import json
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from tuning.config.experiment import ConfigError, TrialConfig
from tuning.config.loader import load_experiment
from tuning.config.schema import experiment_schema
from tuning.pretraining.recipe import load_recipe
from tuning.pretraining.schema import recipe_schema
from tuning.system.project import ROOT

FOLDER = ROOT / "experiments"
SCHEMAS = {"schema.json": experiment_schema(), "recipe.schema.json": recipe_schema()}


def problems(schema: str, text: str) -> list[str]:
    """Return what the schema of that name says of a YAML text."""
    validator = Draft202012Validator(SCHEMAS[schema])
    return [error.message for error in validator.iter_errors(yaml.safe_load(text))]


def loads(path: Path, text: str) -> bool:
    """Return whether the loader takes this text."""
    path.write_text(text, encoding="utf-8")
    load = load_recipe if path.stem == "recipe" else load_experiment
    try:
        load(path, [])
    except ConfigError:
        return False
    return True


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_is_that_of_the_models(name: str) -> None:
    Draft202012Validator.check_schema(SCHEMAS[name])
    written = json.loads((FOLDER / name).read_text(encoding="utf-8"))
    assert written == SCHEMAS[name], "make schema writes it anew"


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_shipped_file_names_its_schema_and_agrees_with_it(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    schema = "recipe.schema.json" if path.stem.startswith("pretrain") else "schema.json"
    assert text.split("\n")[0] == f"# yaml-language-server: $schema={schema}"
    assert problems(schema, text) == []


def test_every_key_says_what_it_is() -> None:
    schema = SCHEMAS["schema.json"]
    for part in (schema, *schema["$defs"].values()):
        if part is not schema["$defs"]["Condition"]:  # its keys are those of a trial
            assert all("description" in key for key in part["properties"].values())


@pytest.mark.parametrize(
    "line",
    [
        "grid: {seed: [0, 1], order_seed: [null, 3], freezing: [all, 2], dropout: [0, 0.5]}",
        "gpus_per_trial: 1",
        "search: null",
        "space: {freezing: [all, some], dropout: {low: 0.1, high: 0.2, when: {freezing: some}}}",
        "space: {head: {choices: [mean_pooling]}, freezing: [all, some, 2]}",
        "space: {head: {choices: [mean_pooling], log: false}}",
        "space: {batch_size: {low: 16, high: 64, log: true}}",
        "space: {encoder_learning_rate: [same, 1.0e-4], r_drop: {low: 0.0, high: 5}}",
        "space: {epochs: [2, 3], r_drop: {low: 0.0, high: 1.0, when: {epochs: [2, 3], seed: 0}}}",
        "search: {scheduler: none, try_first: [{epochs: 3, freezing: all}]}\n"
        "space: {epochs: {low: 2, high: 3}, freezing: [all, some]}",
    ],
)
def test_every_way_to_write_it_that_the_loader_takes_is_in_the_schema(
    tmp_path: Path, line: str
) -> None:
    text = f"name: mine\n{line}\n"
    assert loads(tmp_path / "mine.yaml", text)
    assert problems("schema.json", text) == []


@pytest.mark.parametrize(
    "line",
    [
        "trail: {epochs: 3}",
        "trial: {learning_rat: 0.1}",
        "trial: {learning_rate: 2e-5}",  # YAML reads this as text
        "trial: {freezing: half}",
        "trial: {encoder_learning_rate: 2}",
        "cleaning: {bullet: false}",
        "gpus_per_trial: 2",
        "grid: {learning_rate: [0.1, 2.0]}",
        "grid: {learning_rate: [0.1, 1e-3]}",
        "grid: {optimiser: [sgd]}",
        "grid: {epochs: 3}",
        "grid: {epochs: []}",
        "grid: {epochs: [1, 1]}",
        "search: {grace_period: 1}",
        "search: {try_first: [{hed: mean_pooling}]}",
        "space: {seed: [0, 1]}",
        "space: {head: [cross]}",
        "space: {head: mean_pooling}",
        "space: {freezing: {low: 1, high: 3}}",
        "space: {head_width: {low: 64, high: 192}}",
        "space: {learning_rate: {low: 0.1, high: 2.0}}",
        "space: {learning_rate: {low: 0.1}}",
        "space: {learning_rate: {choices: [0.1], low: 0.1}}",
        "space: {momentum: {low: 0.1, hihg: 0.2}}",
        "space: {optimizer: [sgd], momentum: {low: 0.1, high: 0.2, when: {optimizer: adam}}}",
    ],
)
def test_what_the_schema_refuses_the_loader_refuses_too(tmp_path: Path, line: str) -> None:
    text = f"name: mine\n{line}\n"
    assert problems("schema.json", text)
    assert not loads(tmp_path / "mine.yaml", text)


@pytest.mark.parametrize("field", TrialConfig.model_fields)
def test_a_range_or_a_list_is_searched_for_where_the_loader_allows_it(
    tmp_path: Path, field: str
) -> None:
    default = TrialConfig.model_fields[field].default
    ends = (0.25, 0.5) if isinstance(default, float) else (1, 2)
    for axis in ([default], dict(zip(("low", "high"), ends, strict=True))):
        text = json.dumps({"name": "mine", "space": {field: axis}})
        assert (problems("schema.json", text) == []) == loads(tmp_path / "mine.yaml", text)


@pytest.mark.parametrize(
    ("line", "valid"),
    [
        ("corpus: {minutes: 2.5}", True),
        ("adaptation: {batch_size: 16, betas: [0.8, 0.95]}", True),
        ("corpus: {betas: [0.8, 1.0]}", False),
        ("corpus: {betas: [0.8]}", False),
        ("corpus: {learning_rate: 2e-5}", False),
        ("shape: {width: 1}", False),
        ("sequence_lenght: 32", False),
        ("vocabulary: 8", False),
    ],
)
def test_recipes_are_judged_as_their_loader_judges_them(
    tmp_path: Path, line: str, valid: bool
) -> None:
    text = f"name: mine\n{line}\n"
    assert (problems("recipe.schema.json", text) == []) == valid
    assert loads(tmp_path / "recipe.yaml", text) == valid
