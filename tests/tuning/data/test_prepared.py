"""Guards the preparation of an experiment: data, encoder and trials that fit each other."""

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from models.encoder_files import EncoderError
from models.table_files import DataError
from tests.models.drawn_encoders import draw_encoder
from tuning.config.experiment import ConfigError, Experiment
from tuning.config.trial_values import varied_fields
from tuning.data.prepared import cut_length, prepare
from tuning.data.sources import DataLocations
from tuning.system.project import EMBEDDED


def experiment(**changes: Any) -> Experiment:  # noqa: ANN401 - values of any field
    return Experiment.model_validate(
        {"name": "check", "data": "embedded", "encoder": "embedded", **changes}
    )


def test_both_orders_are_tokenized_only_if_a_trial_uses_them(tmp_path: Path) -> None:
    locations = DataLocations(cache=tmp_path)
    single = prepare(experiment(trial={"both_orders": False}), locations).tokens.splits["test"]
    double = prepare(experiment(grid={"both_orders": [True, False]}), locations).tokens.splits[
        "test"
    ]
    assert (single.rows, double.rows) == (420, 840)


def test_freezing_more_layers_than_there_are_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        EncoderError, match="freezing: must be at most the encoder's 4 layers, got 7"
    ):
        prepare(experiment(grid={"freezing": ["all", 7]}), DataLocations(cache=tmp_path))


def test_votes_are_refused_as_targets_where_there_are_none(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError,
        match="targets: must be labels or auto: not every pair of the data set has votes",
    ):
        prepare(experiment(trial={"targets": "votes"}), DataLocations(cache=tmp_path))


def test_auto_targets_become_what_the_data_has(tmp_path: Path) -> None:
    prepared = prepare(experiment(), DataLocations(cache=tmp_path))
    assert [trial.targets for trial in prepared.trials] == ["labels"]


def test_pairs_that_are_cut_are_reported(tmp_path: Path) -> None:
    prepared = prepare(experiment(max_tokens=30), DataLocations(cache=tmp_path))
    assert any("train: " in n and "were cut to 30 word pieces" in n for n in prepared.notices)
    assert prepared.tokens.splits["train"].lengths.max() == 2 * 30  # of two texts


def test_pairs_that_are_encoded_together_are_cut_as_one(tmp_path: Path) -> None:
    together = experiment(max_tokens=30, trial={"encoding": "pair"})
    prepared = prepare(together, DataLocations(cache=tmp_path))
    assert prepared.tokens.splits["train"].lengths.max() == 30


def test_each_depth_is_listed_once(tmp_path: Path) -> None:
    prepared = prepare(
        experiment(grid={"freezing": ["all", 4, "none", "some"]}), DataLocations(cache=tmp_path)
    )
    assert prepared.depths == [0, 3, 4]


def test_varied_fields_are_those_in_which_trials_differ() -> None:
    trials = experiment(grid={"seed": [0, 1], "head": ["mean_pooling"]}).trials()
    assert varied_fields(trials) == ["seed"]


def test_small_data_gets_the_epochs_that_its_steps_need(tmp_path: Path) -> None:
    grid = {"min_steps": [0, 100, 500], "batch_size": [32, 200]}  # 1400 pairs: 44 or 7 steps
    trials = prepare(
        experiment(trial={"epochs": 2}, grid=grid), DataLocations(cache=tmp_path)
    ).trials
    assert [trial.epochs for trial in trials] == [2, 2, 3, 15, 12, 72]


def test_each_encoding_and_depth_has_inputs_of_its_own(tmp_path: Path) -> None:
    grid = {"freezing": ["all", 2], "encoding": ["separate", "pair"]}
    prepared = prepare(experiment(grid=grid), DataLocations(cache=tmp_path))
    keys = [(trial.freezing, trial.encoding) for trial in prepared.input_variants]
    assert keys == [(2, "pair"), (2, "separate"), ("all", "pair"), ("all", "separate")]
    means = {"freezing": ["all", 2], "layer_mean": [True, False]}
    variants = prepare(experiment(grid=means), DataLocations(cache=tmp_path)).input_variants
    assert [trial.layer_mean for trial in variants if trial.freezing == "all"] == [False, True]
    assert len(variants) == 3  # it has no effect where layers are trained
    tables = {name: tokens.splits["train"] for name, tokens in prepared.encoded.items()}
    assert tables["separate"].pairs == tables["pair"].pairs
    assert len(tables["separate"].tokens) < len(tables["pair"].tokens) / 2


@pytest.mark.parametrize(
    ("trial", "got"),
    [
        ({"encoding": "pair"}, "encoding: pair and freezing: all"),
        ({"freezing": "none"}, "encoding: separate and freezing: none"),
    ],
)
def test_a_cosine_without_texts_encoded_alone_is_refused(
    tmp_path: Path, trial: dict[str, str], got: str
) -> None:
    wrong = experiment(trial={**trial, "cosine_feature": True})
    rule = "cosine_feature: needs encoding: separate and a frozen layer, got "
    with pytest.raises(ConfigError, match=f"{rule}{got}; auto has the cosine where both are"):
        prepare(wrong, DataLocations(cache=tmp_path))


@pytest.mark.parametrize("conditional", [True, False])
def test_a_search_may_draw_the_cosine_where_its_condition_holds(
    tmp_path: Path, conditional: bool
) -> None:
    when = {"when": {"encoding": ["separate"]}} if conditional else {}
    space = {
        "encoding": {"choices": ["pair", "separate"]},
        "cosine_feature": {"choices": [True, False], **when},
    }
    wanted = experiment(search={"num_samples": 2, "ablations": False}, space=space)
    if not conditional:
        with pytest.raises(ConfigError, match="cosine_feature: needs encoding: separate"):
            prepare(wanted, DataLocations(cache=tmp_path))
        return
    prepared = prepare(wanted, DataLocations(cache=tmp_path))
    drawn = {(trial.encoding, trial.cosine_feature) for trial in prepared.trials}
    assert drawn == {("pair", False), ("separate", False), ("separate", True)}


def test_an_encoder_that_cannot_keep_texts_apart_is_refused_before_anything_runs(
    tmp_path: Path,
) -> None:
    folder, locations = draw_encoder(tmp_path, "deberta-v2"), DataLocations(cache=tmp_path)
    rule = f"encoding: must be pair for an encoder whose convolution reads across texts: {folder}"
    pairs = tmp_path / "pairs"
    pairs.mkdir()
    for split in ("train", "validation", "test"):
        lines = ["first\tsecond\tlabel", f"{split} data\tfacts\t1", f"{split} facts\tdata\t0"]
        (pairs / f"{split}.tsv").write_text("\n".join(lines) + "\n")
    asked = {"encoder": str(folder), "data": str(pairs)}
    with pytest.raises(ConfigError, match=re.escape(f"{rule}; --set encoding=pair")):
        prepare(experiment(**asked), locations)
    searched = {"search": {"ablations": False}, "space": {"encoding": ["separate", "pair"]}}
    with pytest.raises(ConfigError, match=re.escape(f"{rule}; draw no other in space.encoding")):
        prepare(experiment(**asked, **searched), locations)
    assert prepare(experiment(**asked, trial={"encoding": "pair"}), locations).depths == [3]


@pytest.mark.parametrize(
    ("encodings", "limited"),
    [(["separate"], "texts"), (["pair"], "pairs"), (["pair", "separate"], "pairs and texts")],
)
def test_a_limit_above_the_encoders_is_told_of(
    tmp_path: Path, encodings: list[str], limited: str
) -> None:
    asked = experiment(max_tokens=900, grid={"encoding": encodings})
    prepared = prepare(asked, DataLocations(cache=tmp_path))
    (notice,) = prepared.notices
    most = prepared.encoder.max_tokens
    assert notice == (
        f"max_tokens: 900 is more than the encoder takes: {limited} have at most {most} word "
        "pieces"
    )


def embedded_with(folder: Path, line: str) -> Path:
    """Return a copy of the embedded pairs with one more line in its training split."""
    pairs = Path(shutil.copytree(EMBEDDED / "pairs", folder / "pairs"))
    with (pairs / "train.tsv").open("a", encoding="utf-8") as file:
        file.write(line)
    return pairs


def test_a_text_that_is_too_long_is_refused_or_cut_as_the_experiment_says(tmp_path: Path) -> None:
    line = "\t".join(["heap", "heap " * 900, "a heap", "1"]) + "\n"
    data = str(embedded_with(tmp_path, line))
    with pytest.raises(DataError, match=r"train.tsv: line 1402: .*\n.*--set truncate=true"):
        prepare(experiment(data=data), DataLocations(cache=tmp_path))
    prepared = prepare(experiment(data=data, truncate=True), DataLocations(cache=tmp_path))
    most = prepared.encoder.max_tokens
    assert prepared.notices == [f"train: 1 pairs were cut to {most} word pieces a text"]
    assert cut_length(prepared.experiment, prepared.encoder) == most


def test_pairs_in_two_splits_and_a_rare_class_are_told_of_before_the_first_trial(
    tmp_path: Path,
) -> None:
    data = tmp_path / "pairs"
    data.mkdir()
    for split in ("train", "validation", "test"):
        rows = [(f"{split} {n}", f"x {n}", n // 9) for n in range(10)]
        lines = ["first\tsecond\tlabel", *("\t".join(map(str, row)) for row in rows), "a\tb\t0"]
        (data / f"{split}.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    shared, balance = prepare(experiment(data=str(data)), DataLocations(cache=tmp_path)).notices
    assert shared.startswith("1 pair and 12 texts stand in more than one split")
    assert balance.endswith("; --set class_weight=balanced lets both classes count alike")
    weighted = experiment(data=str(data), grid={"class_weight": ["none", "balanced"]})
    assert "--set" not in prepare(weighted, DataLocations(cache=tmp_path)).notices[1]


def test_the_embedded_pairs_give_no_notice(tmp_path: Path) -> None:
    assert prepare(experiment(), DataLocations(cache=tmp_path)).notices == []


@pytest.mark.parametrize(
    ("columns", "together"),
    [
        ("group: group\n", [0, 0, 0, 0, 1, 1, 1, 1] * 2),  # whatever texts they share
        ("", [0, 1, 2, 3, 4, 5, 6, 6, 7, 8, 9, 10, 11, 12, 6, 6]),  # those with one text
    ],
)
def test_folds_divide_no_group_or_without_groups_no_text_and_cannot_be_too_many(
    tmp_path: Path, columns: str, together: list[int]
) -> None:
    data = tmp_path / "pairs"
    data.mkdir()
    for split in ("train", "validation", "test"):
        texts = [f"{split} {n}" if n < 6 else "a heap" for n in range(8)]
        rows = [(text, f"x{n} {split}", n % 2, n // 4) for n, text in enumerate(texts)]
        lines = ["first\tsecond\tlabel\tgroup", *("\t".join(map(str, row)) for row in rows)]
        (data / f"{split}.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (data / "columns.yaml").write_text(columns, encoding="utf-8")
    locations = DataLocations(cache=tmp_path)

    def search(folds: int | None) -> Experiment:
        return experiment(data=str(data), search={}, validation={"folds": folds})

    assert prepare(search(None), locations).components is None
    components = prepare(search(2), locations).components
    assert components is not None
    assert components.tolist() == together
    with pytest.raises(ConfigError, match="of 20 folds one would lack a label: the 16 pairs of t"):
        prepare(search(20), locations)
