"""Guards the tables and figures about a search: history in order, importance if there is any."""

import numpy as np
import pandas as pd
import pytest

from analysis import search_tables
from analysis.findings import about_search
from analysis.importance_tables import parameter_importance
from analysis.search_figures import plot_history, plot_parallel, plot_tried


def test_the_history_keeps_the_order_and_its_best_never_falls(trials: pd.DataFrame) -> None:
    history = search_tables.search_history(trials)
    assert history["value"].tolist() == trials["objective"].tolist()
    assert history["best"].is_monotonic_increasing
    assert history["best"].iloc[-1] == trials["objective"].max()


def test_no_flagged_trial_of_a_search_is_called_best(trials: pd.DataFrame) -> None:
    nothing = parameter_importance(trials.head(0))
    best = trials["objective"].idxmax()
    flagged = search_tables.search_history(trials.assign(collapsed=trials.index == best))
    second = trials["objective"].nlargest(2).index[-1]
    assert (
        f"number {second + 1} had the best validation AUC"
        in about_search(flagged, nothing, "validation AUC")[0]
    )
    every = search_tables.search_history(trials.assign(no_positive=1.0))
    assert about_search(every, nothing, "validation AUC") == [
        "All 20 finished trials are flagged: none is called best."
    ]
    assert np.shape(
        plot_history(every, "validation AUC").axes[0].collections[0].get_offsets()
    ) == (20, 2)


def test_only_what_differs_was_searched(trials: pd.DataFrame) -> None:
    names = [f"{number:03d}" for number in range(len(trials))]
    told = trials.assign(name=names, folder=names, run_id=names)  # of a trial, not of its search
    assert search_tables.searched_parameters(told) == ["learning_rate", "optimizer"]


def test_figures_draw_what_the_tables_hold(trials: pd.DataFrame) -> None:
    history = plot_history(search_tables.search_history(trials), "validation AUC")
    assert np.shape(history.axes[0].collections[0].get_offsets()) == (20, 2)
    columns = ["learning_rate", "optimizer", "objective"]
    assert len(plot_parallel(trials[columns]).axes[0].lines) == 20


def test_race_and_final_are_shown_best_first_with_what_they_chose() -> None:
    rows = [
        ("race", "best-1", 5, 0.70, 0.66, False),
        ("race", "best-2", 17, 0.69, 0.68, True),
        ("confirm", "best-2", 17, 0.69, 0.66, True),
        ("confirm", "best-2", 17, 0.69, 0.68, True),
    ]
    names = ["round", "configuration", "trial", "searched", "value", "chosen"]
    rounds = pd.DataFrame(rows, columns=names).assign(head="mean_pooling", encoding="pair")
    table = search_tables.confirmation_rounds(rounds)
    assert table[
        ["round", "configuration", "seeds", "confirmed", "chosen"]
    ].to_numpy().tolist() == [
        ["race", "best-2, trial 017", 1, ".680", "finalist"],
        ["race", "best-1, trial 005", 1, ".660", ""],
        ["final", "best-2, trial 017", 2, ".670 ± .014", "champion"],
    ]


@pytest.fixture
def tried(trials: pd.DataFrame) -> pd.DataFrame:
    heads, encodings = ["cross_attention", "mean_pooling"] * 10, ["pair"] * 20
    origins = ["given", *["start-up"] * 9, *["TPE"] * 10]
    stopped = ["after epoch 2", np.nan] * 10
    more = trials.assign(head=heads, encoding=encodings, origin=origins, stopped=stopped)
    space = {"space.head": "{'choices': ['mean_pooling', 'bilstm_attention', 'cross_attention']}"}
    return search_tables.tried_places(more, space)


def test_every_trial_is_a_mark_in_the_panel_of_its_head_and_encoding(tried: pd.DataFrame) -> None:
    figure = plot_tried(tried, "validation AUC")
    assert figure.get_supylabel() == "validation AUC"
    marks = {
        axis.get_title(): sum(len(np.atleast_1d(line.get_xdata())) for line in axis.lines)
        for axis in figure.axes
    }
    assert marks == {
        "pair, mean pooling: 10": 10,
        "pair, bilstm attention: 0": 0,  # in the space, and never drawn
        "pair, cross attention: 10": 10,
    }
    hollow = {line.get_markerfacecolor() == "white" for line in figure.axes[2].lines}
    assert hollow == {True}  # each cross attention was stopped
    assert figure.get_supylabel() == "validation AUC"
    (legend,) = figure.legends
    names = ["given", "start-up", "TPE", "hollow: stopped early"]
    assert [text.get_text() for text in legend.get_texts()] == names
    shapes = {str(line.get_marker()) for axis in figure.axes for line in axis.lines}
    assert len(shapes) == 3  # told apart without colours


def test_a_log_of_before_tells_no_origin_and_no_encoding(trials: pd.DataFrame) -> None:
    tried = search_tables.tried_places(trials.assign(head="mean_pooling"), {})
    (legend,) = plot_tried(tried, "validation AUC").legends
    assert [text.get_text() for text in legend.get_texts()] == ["trial"]
    assert set(tried["encoding"]) == {"pair"}


def test_who_chose_a_trial_and_when_it_was_stopped_is_no_parameter(trials: pd.DataFrame) -> None:
    more = trials.assign(origin=["given", "TPE"] * 10, stopped=["after epoch 2", np.nan] * 10)
    assert search_tables.searched_parameters(more) == ["learning_rate", "optimizer"]


def test_the_champions_scores_are_a_row_for_each_model_and_threshold() -> None:
    cell = {"mean": 0.7124, "std": 0.01, "low": 0.65, "high": 0.77, "seeds": 5}
    long = pd.DataFrame(
        [
            {"model": model, "threshold": cut, "metric": metric, **cell}
            for model in ("champion", "baseline")
            for cut in ("0.5", "validation")
            for metric in ("f1", "auc")
        ]
    )
    long.loc[long["model"] == "baseline", "std"] = np.nan
    rows = search_tables.champion_scores(long)
    assert rows[["model", "cut"]].to_numpy().tolist() == [
        ["champion", "0.5"], ["champion", "validation"],
        ["baseline", "0.5"], ["baseline", "validation"],
    ]  # fmt: skip
    assert rows["f1_cell"].tolist()[::2] == [".712 ± .010\n[.650, .770]", ".712\n[.650, .770]"]


def test_an_ablation_is_written_with_its_gain_and_verdict() -> None:
    row = {"lever": "R-Drop", "with": 0.72, "with_std": 0.01, "without": 0.73, "without_std": 0.02,
           "gain": -0.01, "low": -0.018, "high": -0.002,
           "verdict": "hurts", "used": True}  # fmt: skip
    unclear = {**row, "verdict": "cannot be told", "used": False}
    found, other = search_tables.ablation_scores(pd.DataFrame([row, unclear])).to_dict("records")
    assert found["gain"] == "−1.0 [−1.8, −0.2]"
    assert (found["verdict"], found["champion"]) == ("hurts", "on")
    assert (other["verdict"], other["champion"]) == ("not clear", "off")
    assert "p_holm" not in found  # a search of before ablations were judged by entities


def test_an_ablation_with_failed_seeds_says_so_and_has_dashes_for_what_is_not_told() -> None:
    nan = float("nan")
    row = {"lever": "R-Drop", "with": 0.72, "with_std": nan, "without": 0.73, "without_std": 0.02,
           "gain": -0.01, "low": nan, "high": nan, "p_holm": nan, "failed": 4,
           "verdict": "cannot be told", "used": True}  # fmt: skip
    (found,) = search_tables.ablation_scores(pd.DataFrame([row])).to_dict("records")
    assert found["with_it"] == ".720 ± –"
    assert found["gain"] == "−1.0 [–, –]"
    assert found["verdict"] == "not clear (4 failed)"
    assert list(found).index("p_holm") == 4
