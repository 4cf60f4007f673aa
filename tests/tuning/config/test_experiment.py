"""Guards the loading of experiments: all problems at once, in words, with the way out."""

import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.heads import HEADS
from models.strict_yaml import parse_yaml
from tuning.config.experiment import ConfigError, Experiment, TrialConfig
from tuning.config.loader import load_experiment


def problems(folder: Path, text: str, *overrides: str) -> list[str]:
    path = folder / "mine.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_experiment(path, list(overrides))
    changed = "".join(f" --set {shlex.quote(override)}" for override in overrides)
    assert str(caught.value).startswith(f"{path}{changed}:\n  - ")
    return caught.value.problems


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("trial: {learning_rate: 2e-5}",
         "trial.learning_rate: must be a number, got the text '2e-5' (write 2.0e-5)"),
        ("trial: {epochs: 0}", "trial.epochs: must be at least 1, got 0"),
        ("trial: {epochs: 2.5}", "trial.epochs: must be a whole number, got 2.5"),
        ("trial: {head_width: 7}", "trial.head_width: must be a multiple of 2, got 7"),
        ("trial: {dropout: 1.0}", "trial.dropout: must be below 1, got 1.0"),
        ("trial: {both_orders: 1}", "trial.both_orders: must be true or false, got 1"),
        ("trial: {freezing: half}",
         "trial.freezing: must be all, some, none or a number of layers from 0, got 'half'"),
        ("trial: {freezing: yes}",
         "trial.freezing: must be all, some, none or a number of layers from 0, got True"),
        ("trial: {encoder_learning_rate: 0}",
         "trial.encoder_learning_rate: must be 'same' or a number above 0 and up to 1, got 0"),
        ("trial: {optimizer: adam}",
         "trial.optimizer: must be 'adamw' or 'sgd', got the text 'adam'"),
        ("trial: 3", "trial: must be a mapping of keys to values, got 3"),
        ("batchsize: 3", "batchsize: unknown key; did you mean batch_size?"),
        ("zzz: 3", "zzz: unknown key"),
        ("name: Bad Name", "name: is repeated in line 2"),
        ("grid: {optimiser: [sgd]}", "grid.optimiser[0]: unknown key; did you mean optimizer?"),
        ("grid: {seed: []}", "grid.seed: must have at least one value"),
        ("grid: {seed: [1, 1]}", "grid.seed: must not repeat a value, got [1, 1]"),
        ("grid: {seed: 3}", "grid.seed: must be a list, got 3"),
        ("grid: {learning_rate: [0.1, 1e-3]}",
         "grid.learning_rate[1]: must be a number, got the text '1e-3' (write 1.0e-3)"),
        ("grid: 4", "grid: must be a mapping of keys to values, got 4"),
        ("gpus_per_trial: 2.0", "gpus_per_trial: must be 'auto' or must be at most 1, got 2.0"),
        ("cleaning: {bullet: false}", "cleaning.bullet: unknown key; did you mean bullets?"),
        ("data: no",
         "data: must be text, got False (YAML reads yes, no, on, off as true and false: put it "
         "in quotes)"),
        ("data: ''", "data: must not be empty, got the text ''"),
        ("learning-rate: 1.0", "learning-rate: unknown key; did you mean learning_rate?"),
        ("trial: {learning rate: 1.0}",
         "trial.learning rate: unknown key; did you mean learning_rate?"),
        ("grid: {batch-size: [1]}", "grid.batch-size[0]: unknown key; did you mean batch_size?"),
        ("trial: {epochs: 010}",
         "010 in line 2: YAML reads it as 8; write a number without a leading 0 or colons, or put "
         "it in quotes as text"),
        ("grid: {epochs: [3, 1:30]}",
         "1:30 in line 2: YAML reads it as 90; write a number without a leading 0 or colons, or "
         "put it in quotes as text"),
        ("trial: {dropout: 1:30.5}",
         "1:30.5 in line 2: YAML reads it as 90.5; write a number without a leading 0 or colons, "
         "or put it in quotes as text"),
        ("data: 2026-01-31", "data: must be text, got 2026-01-31 (put it in quotes)"),
        ("trial: {optimizer: off}",
         "trial.optimizer: must be 'adamw' or 'sgd', got False (YAML reads yes, no, on, off as "
         "true and false: put it in quotes)"),
    ],
)  # fmt: skip
def test_a_wrong_line_is_reported_in_words(tmp_path: Path, line: str, problem: str) -> None:
    assert problem in problems(tmp_path, f"name: mine\n{line}\n")


def test_all_problems_are_reported_at_once(tmp_path: Path) -> None:
    text = "nam: x\ntrial: {epochs: 0, head: max}\ngrid: {seed: [-1, a]}\n"
    found = problems(tmp_path, text)
    assert len(found) == 6
    assert "name: is missing" in found


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "must be a mapping of keys to values"),
        ("- 1", "must be a mapping of keys to values"),
        ("a: [1", "is not YAML: expected ',' or ']', but got '<stream end>' in line 1"),
    ],
)
def test_a_file_that_is_no_mapping_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    assert problems(tmp_path, text) == [problem]


def test_a_file_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_bytes(b"name: \xff")
    with pytest.raises(ConfigError, match="must be UTF-8, got the byte 0xff"):
        load_experiment(tmp_path / "mine.yaml")


@pytest.mark.parametrize(
    ("override", "problem"),
    [
        ("epochs", "--set epochs: must be key=value"),
        ("epochs=0", "trial.epochs: must be at least 1, got 0"),
        ("name.x=1", "--set name.x=1: name holds a value and has no x"),
        ("space.dropout.low=-1.0", "space.dropout[low]: must be at least 0, got -1.0"),
        ("space.head.low=1", "--set space.head.low=1: space.head holds a value and has no low"),
        ("seed=99999999999999999999", "trial.seed: must be below 9.22337e+18, got 9999999999999"),
        ('data="a\\0b"', '--set data="a\\0b": a text in line 1 must not hold U+0000'),
        ('encoder="\\ud800"', '--set encoder="\\ud800": a text in line 1 must not hold U+D800'),
        ("epoch=1", "epoch: unknown key; did you mean epochs?"),
        (
            "epochs=[1",
            "--set epochs=[1: is not YAML: expected ',' or ']', but got '<stream end>' in line 1",
        ),
    ],
)
def test_an_override_goes_through_the_same_checks(
    tmp_path: Path, override: str, problem: str
) -> None:
    text = "name: mine\nspace: {head: [mean_pooling], dropout: {low: 0.1, high: 0.5}}\n"
    assert any(found.startswith(problem) for found in problems(tmp_path, text, override))


@pytest.mark.parametrize(
    ("override", "problem"),
    [
        ("trial.epochs=3", "grid.epochs goes before it; write --set epochs=3"),
        ("trial.dropout=0.1", "space.dropout goes before it; write --set space.dropout=[0.1]"),
        ("dropout=0.1", "space.dropout goes before it; write --set space.dropout=[0.1]"),
        ("dropout=[0.1]", "space.dropout goes before it; write --set space.dropout=[0.1]"),
    ],
)
def test_an_override_without_effect_is_refused_with_the_one_that_has_it(
    tmp_path: Path, override: str, problem: str
) -> None:
    text = "name: mine\ngrid: {epochs: [1, 2]}\nspace: {dropout: {low: 0.1, high: 0.5}}\n"
    assert f"--set {override}: {problem}" in problems(tmp_path, text, override)


def test_the_fixed_value_of_a_conditional_axis_can_be_set(tmp_path: Path) -> None:
    axes = "optimizer: [adamw, sgd], momentum: {low: 0.1, high: 0.5, when: {optimizer: sgd}}"
    experiment = load(tmp_path, f"name: mine\nspace: {{{axes}}}\n", "momentum=0.3")
    assert experiment.trial.momentum == 0.3


@pytest.mark.parametrize("number", ["0x10", "1_000", "0", "-0", "+7"])
def test_a_number_that_reads_as_it_is_written_is_taken(number: str) -> None:
    assert parse_yaml(number) == (int(number, 0), [])


@pytest.mark.parametrize("section", ["trial", "grid"])
def test_an_override_of_a_section_without_keys_is_refused(tmp_path: Path, section: str) -> None:
    text = f"name: mine\n{section}: null\n"
    expected = f"--set epochs=3: {section} holds a value and has no epochs"
    assert expected in problems(tmp_path, text, "epochs=3")


def load(folder: Path, text: str, *overrides: str) -> Experiment:
    (folder / "mine.yaml").write_text(text)
    return load_experiment(folder / "mine.yaml", list(overrides))


def test_a_list_makes_an_axis_and_a_value_removes_it(tmp_path: Path) -> None:
    text = "name: mine\ngrid: {learning_rate: [0.1, 0.2]}\n"
    wide = load(tmp_path, text, "seed=[0, 1, 2]")
    assert len(wide.trials()) == 6
    narrow = load(tmp_path, text, "learning_rate=0.3")
    assert [trial.learning_rate for trial in narrow.trials()] == [0.3]


def test_sections_are_reached_with_a_dot(tmp_path: Path) -> None:
    experiment = load(tmp_path, "name: mine\n", "cleaning.bullets=false", "trial.epochs=9")
    assert not experiment.cleaning.bullets
    assert experiment.trials()[0].epochs == 9


def test_the_last_axis_changes_fastest(tmp_path: Path) -> None:
    experiment = load(tmp_path, "name: mine\ngrid: {seed: [0, 1], epochs: [3, 4]}\n")
    assert [(t.seed, t.epochs) for t in experiment.trials()] == [(0, 3), (0, 4), (1, 3), (1, 4)]


def test_every_head_can_be_named_in_an_experiment() -> None:
    assert [TrialConfig.model_validate({"head": name}).head for name in HEADS] == list(HEADS)


@given(
    st.one_of(
        st.binary(max_size=60), st.text(alphabet="ab:-[]{}\n '&*!1.,", max_size=40).map(str.encode)
    )
)
def test_any_bytes_are_an_experiment_or_a_config_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_bytes(b"name: mine\n" + content)
    try:
        assert load_experiment(path).trials()
    except ConfigError as error:
        assert error.problems


def test_a_repeated_key_is_found_at_any_depth() -> None:
    assert parse_yaml("a: {b: 1, b: 2}")[1] == ["b: is repeated in line 1"]


@pytest.mark.parametrize("key", ["7", "on", "2.5"])  # on is true in YAML
def test_a_key_of_the_grid_that_is_no_text_is_reported(tmp_path: Path, key: str) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(f"name: x\ngrid: {{{key}: [2]}}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"grid\S*: must be text, got (7|True|2\.5)"):
        load_experiment(path)


def test_folds_are_for_a_search_alone(tmp_path: Path) -> None:
    text = "name: x\nvalidation: {folds: 5}\n"
    (found,) = problems(tmp_path, text)
    assert found.startswith("validation.folds: must be null in a grid, got 5: its trials are")
    assert problems(tmp_path, text.replace("5", "1") + "search: {num_samples: 3}\n") == [
        "validation.folds: must be at least 2, got 1"
    ]
