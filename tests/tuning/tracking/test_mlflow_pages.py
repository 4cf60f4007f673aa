"""Guards the titles of runs: each says what was trained, and no two of a launch are alike."""

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from measures.addresses import project_store
from measures.objective import RANKED_BY, VALIDATION_F1
from tuning.config.experiment import TrialConfig
from tuning.config.trial_values import varied_fields
from tuning.tracking.mlflow_pages import (
    View,
    champion_title,
    how_to_look,
    scientific,
    source_tags,
    trial_title,
    view_address,
)


def config(**fields: object) -> TrialConfig:
    return TrialConfig.model_validate(fields)


@pytest.mark.parametrize(
    ("value", "text"), [(0.001, "1e-3"), (0.1, "1e-1"), (3.25e-4, "3.25e-4"), (1.0, "1e0")]
)
def test_a_rate_is_written_as_people_write_it(value: float, text: str) -> None:
    assert scientific(value) == text
    assert float(text) == value


def test_a_rate_that_was_drawn_is_rounded() -> None:
    assert scientific(0.00314159, 2) == "3.1e-3"


def test_a_cell_of_the_grid_is_named_by_what_was_trained() -> None:
    trial = config(optimizer="adamw", learning_rate=0.001, freezing="all", seed=2)
    assert trial_title(trial, "01-x", {}, ["learning_rate"]) == "adamw 1e-3 · frozen all"
    assert trial_title(trial, "01-x", {}, ["seed"]) == "adamw 1e-3 · frozen all · seed 2"
    deep = config(freezing=3, order_seed=1)
    assert trial_title(deep, "01", {}, []).endswith("· frozen 3 layers")


def test_titles_of_drawn_and_retrained_trials_say_which_they_are() -> None:
    trial = config(optimizer="sgd", learning_rate=0.0123, freezing="some", seed=1001)
    drawn = trial_title(trial, "012", {"stage": "search"}, [])
    assert drawn == "sgd 1.2e-2 · frozen some · trial 012"
    tags = {"stage": "ablation", "of": "without-overlap_features-seed-1001"}
    again = trial_title(trial, "without-overlap_features-seed-1001", tags, [])
    assert again == "sgd 1.2e-2 · frozen some · without overlap features · seed 1001"
    assert champion_title(trial.model_dump()) == "champion · sgd 1.2e-2 · frozen some"


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "learning_rate": st.sampled_from([1e-3, 1.001e-3, 0.1]),
                "optimizer": st.sampled_from(["adamw", "sgd"]),
                "freezing": st.sampled_from(["all", "none", 2]),
                "seed": st.integers(0, 3),
                "dropout": st.sampled_from([0.1, 0.11]),
            }
        ),
        unique_by=lambda fields: tuple(sorted(map(str, fields.items()))),
        min_size=2,
    )
)
def test_no_two_trials_of_a_grid_share_a_title(grid: list[dict[str, object]]) -> None:
    trials = [config(**fields) for fields in grid]
    varied = varied_fields(trials)
    titles = {trial_title(trial, str(n), {}, varied) for n, trial in enumerate(trials)}
    assert len(titles) == len(trials)


def test_a_view_shows_what_varies_and_the_scores_of_one_launch_best_first() -> None:
    state = View(varied=["freezing", "learning_rate"]).state("12ab")
    columns = state["selectedColumns"]
    assert columns[:3] == [
        "params.`freezing`", "params.`learning_rate`", f"metrics.`{VALIDATION_F1}`",
    ]  # fmt: skip
    shown = {"metrics.`test_auc`", "tags.`flags`", "attributes.`Source`", "attributes.`Dataset`"}
    assert shown < set(columns)
    assert set(columns) < set(state["columnOrder"]) == set(state["columnWidths"])
    assert (state["orderByKey"], state["orderByAsc"]) == (f"metrics.`{VALIDATION_F1}`", False)
    assert "tags.launch = '12ab'" in state["searchFilter"]


def test_a_view_of_a_search_is_in_the_order_of_its_objective() -> None:
    state = View(varied=[], ranked_by=RANKED_BY["auc"]).state("12ab")
    assert state["orderByKey"] == "metrics.`val_auc`"
    assert state["orderByKey"] in state["selectedColumns"]


@pytest.mark.parametrize("server", ["http://host:5000", "http://host:5000/"])
def test_an_address_names_the_view_and_the_pages_of_model_training(server: str) -> None:
    page = "http://host:5000/#/experiments/3/runs?"
    own = "viewStateShareKey=12ab&workflowType=machine_learning"
    assert view_address(server, "3", "12ab") == page + own
    assert view_address("http://me:secret@h", "3", "12ab") == view_address("http://h", "3", "12ab")
    assert view_address(server, "3", None) == f"{page}workflowType=machine_learning"


def test_a_source_without_a_commit_has_no_version() -> None:
    script = {"mlflow.source.name": "tuning/run_grid.py", "mlflow.source.type": "LOCAL"}
    assert source_tags("tuning/run_grid.py", "unknown") == script
    known = {**script, "mlflow.source.git.commit": "abc"}
    assert source_tags("tuning/run_grid.py", "abc") == known


def test_the_way_to_look_can_be_pasted_and_fits_the_store(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (line,) = how_to_look(project_store(), None)
    assert line.split()[:2] == ["make", "ui"]
    odd = "sqlite:////a folder/it's.db"
    line, link = how_to_look(odd, "PAGE")
    assert shlex.split(line)[:6] == [
        "python",
        "-m",
        "tuning.tracking",
        "ui",
        "--tracking-uri",
        odd,
    ]
    assert link == "  PAGE"
    (line,) = how_to_look("http://someone:secret@host", None)
    assert line.split()[0] == "http://someone:***@host"  # mlflow ui opens no server
    (line,) = how_to_look("postgresql://someone:secret@host/x", None)
    assert "secret" not in line
    assert line.endswith(", with the password in place of ***")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", odd)  # make ui would show another store
    assert "--tracking-uri" in how_to_look(project_store(), None)[0]
