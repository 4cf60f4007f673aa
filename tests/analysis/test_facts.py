"""Guards what the page states: names, settings, commands and warnings are those of the log."""

import pandas as pd
import pytest

from analysis import facts
from analysis.load_runs import Launch
from measures.addresses import project_store
from tests.analysis.test_run_tables import GRID


def launch(trials: pd.DataFrame = GRID, **changes: str) -> Launch:
    tags = {"data": "parade", "encoder": "minilm", "data_fingerprint": "a", **changes}
    return Launch(
        experiment="grid",
        run_id="r",
        tags=tags,
        params={"data": "/my pairs", "encoder": "auto"},
        trials=trials,
        failed=[],
    )


@pytest.mark.parametrize(
    ("data", "encoder", "title"),
    [
        ("parade", "distilbert-base-uncased", "on PARADE with DistilBERT"),
        ("embedded", "minilm", "on the embedded pairs with all-MiniLM-L6-v2"),
        ("shop", "roberta-base", "on shop with roberta-base"),
    ],
)
def test_the_title_names_what_ran(data: str, encoder: str, title: str) -> None:
    found = facts.title({"data": data, "encoder": encoder})
    assert found == f"Paraphrase identification {title}"


def test_settings_list_what_was_tried() -> None:
    trials = pd.DataFrame({"optimizer": ["sgd", "adamw"], "learning_rate": [0.1, 1e-05]})
    assert facts.settings(trials) == {"optimizer": "adamw or sgd", "learning_rate": "1e-05 or 0.1"}
    many = pd.DataFrame({"dropout": [number / 10 for number in range(8)]})
    assert facts.settings(many) == {"dropout": "0 to 0.7"}
    assert facts.settings(pd.DataFrame({"epochs": [3, 3]})) == {"epochs": "3"}


def test_the_commands_name_the_store_and_the_best_trial() -> None:
    report, reproduce = facts.commands("sqlite:////a b/x.db", launch(), ["--grid", "mine"])
    assert report == (
        "python analysis/make_report.py --tracking-uri 'sqlite:////a b/x.db' --grid mine"
    )
    assert reproduce == "python tuning/reproduce.py r0 --tracking-uri 'sqlite:////a b/x.db'"


def test_a_grid_of_one_seed_is_told_with_the_command_for_more() -> None:
    warning = facts.warn_of_one_seed(launch(), project_store())
    assert "one training run with one seed" in warning["text"]
    assert warning["command"] == (
        "python tuning/run_grid.py experiments/freezing.yaml --data '/my pairs'"
    )
    elsewhere = facts.warn_of_one_seed(launch(), "sqlite:////a b/x.db")["command"]
    assert elsewhere == f"{warning['command']} --tracking-uri 'sqlite:////a b/x.db'"
    seeds = pd.concat([GRID, GRID.assign(seed=1)], ignore_index=True)
    assert facts.warn_of_one_seed(launch(seeds), project_store()) == {}


def test_numbers_of_weights_are_told_by_mode_and_not_at_all_of_an_older_log() -> None:
    assert facts.sizes(launch()) == {}
    trials = pd.DataFrame(
        {"freezing": ["none", "all", "all"], "head_parameters": [5e4, 5e4, 6e4]}
    ).assign(trained_parameters=[66_360_000.0, 5e4, 6e4])
    assert facts.sizes(launch(trials, encoder_parameters="66310000")) == {
        "encoder": "66.3 million",
        "head": "50,000 to 60,000",
        "trained": "50,000 to 60,000 with all layers frozen; 66.4 million with no layers frozen",
    }
    assert "encoder" not in facts.sizes(launch(trials, encoder_parameters="unknown"))


def test_launches_on_other_data_are_told() -> None:
    assert facts.unlike([launch(), launch()]) == []
    (note,) = facts.unlike([launch(), launch(data="shop", data_fingerprint="b")])
    assert "ran on other data or with another encoder (shop, minilm)" in note


@pytest.mark.parametrize(
    ("encodings", "alone"),
    [
        (["separate", "separate"], True),
        (["pair", "separate"], False),
        (["pair"], False),
        ([], False),
    ],
)
def test_texts_are_encoded_alone_if_every_trial_does_so(encodings: list[str], alone: bool) -> None:
    assert facts.encodes_separately(pd.DataFrame({"encoding": encodings})) is alone
    assert not facts.encodes_separately(GRID)  # of a log without encodings


def test_the_encodings_are_those_of_all_launches_and_pair_where_the_log_has_none() -> None:
    search = launch(pd.DataFrame({"encoding": ["separate", "pair"]}))
    assert facts.encodings([search]) == ["pair", "separate"]
    assert facts.encodings([launch()]) == ["pair"]


def test_features_beside_the_states_are_named_and_so_is_it_if_some_trials_lack_them() -> None:
    cosine = "the cosine of both texts' mean frozen states"
    assert facts.features(pd.DataFrame({"epochs": [3]})) == []
    assert facts.features(pd.DataFrame({"cosine_feature": ["False"]})) == []
    whole = pd.DataFrame({"cosine_feature": ["True", True], "overlap_features": [True, False]})
    assert facts.features(whole) == [cosine, "counts of shared words (some trials)"]


def test_what_stands_in_is_told_without_the_exception_that_an_old_log_has() -> None:
    tags = {"data": "parade", "encoder": "minilm", "notices": "none"}
    (words,) = facts.stand_ins(tags)
    assert "all-MiniLM-L6-v2" in words
    raw = "PARADE is unavailable: HTTPSConnectionPool(host='x'): Max; the embedded pairs stand in"
    plain = "it is unavailable: the hub does not answer; minilm stands in"
    assert facts.stand_ins({**tags, "notices": raw})[1] == (
        "Notices: PARADE is unavailable; the embedded pairs stand in."
    )
    assert facts.stand_ins({**tags, "notices": plain})[1] == f"Notices: {plain}."


@pytest.mark.parametrize(("layers", "told"), [(6, "the lower 4 of 6"), (2, "the lower 1 of 2")])
def test_the_number_of_layers_that_are_some_is_told(layers: int, told: str) -> None:
    trials = pd.DataFrame({"freezing": ["some", "all"]})
    words = facts.modes(trials, layers)
    assert words == ["all layers frozen", f"some layers frozen ({told})"]
