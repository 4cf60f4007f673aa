"""Guards the report of a small store with hard names: five voters, one seed, flagged cells."""

import json
import re
import shutil
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import typst
from pypdf import PdfReader

from analysis.comparison_notes import notes_on_modes
from analysis.legible import copy_fonts
from analysis.load_runs import Launch, Store, StoreError
from analysis.report import Sources, publish
from tests.analysis.conftest import Runs
from tests.analysis.hard_report import COMMAND, log_grid

pytestmark = pytest.mark.slow  # draws and sets every page


@pytest.fixture(scope="module")
def report(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hard")
    shutil.copyfile(empty_store, folder / "log.db")
    runs = Runs(folder / "log.db", "grid")
    log_grid(runs, folder)
    told: list[str] = []
    publish(Store(runs.uri), folder / "report", Sources(), told.append)
    (folder / "report/told.json").write_text(json.dumps(told))
    return folder / "report"


@pytest.fixture(scope="module")
def pages(report: Path) -> list[str]:
    found = [page.extract_text() for page in PdfReader(report / "Report.pdf").pages]
    return [" ".join(text.replace("\u200b", "").split()) for text in found]


def contents(report: Path) -> dict[str, Any]:
    return json.loads((report / "report.json").read_bytes())


def test_the_first_page_warns_of_one_seed_and_names_the_best_cell(pages: list[str]) -> None:
    first = pages[0]
    assert "on shop $5 to $10 with my $x^{ encoder" in first
    assert "each cell of it is one training run with one seed" in first
    command = first[first.index("python tuning/run_grid.py experiments/freezing.yaml") :]
    assert re.search(r" \\\s+--", command)  # a long one is parted as a shell takes it
    assert not re.search(r"--\s", command.partition("In short")[0])
    assert "is AdamW at a learning rate of 0.01 with some layers frozen" in first
    assert first.index("one seed") < first.index("The best cell") < first.index("1 The data")


def test_each_chapter_is_told_of_and_the_pages_last(report: Path) -> None:
    told = json.loads((report / "told.json").read_bytes())
    assert told == [*(chapter["title"] for chapter in contents(report)["chapters"]), "its pages"]


def test_a_complete_grid_lacks_nothing(report: Path, pages: list[str]) -> None:
    assert contents(report)["facts"]["notes"] == []
    whole = " ".join(pages)
    for absent in ("missing", "Notes on the log", "no experiment", "freezing 'none'"):
        assert absent not in whole


def test_votes_are_those_of_five(report: Path, pages: list[str]) -> None:
    header = contents(report)["tables"]["class_balance"]["header"]
    assert header[-6:] == [f"{number} of 5 votes" for number in range(6)]
    whole = " ".join(pages)
    assert "5 annotators voted on each pair, and 3 or more votes make it a paraphrase" in whole
    assert "of 5 annotators called it a paraphrase" in whole
    assert "expert" not in whole


def test_nothing_is_named_that_did_not_run(pages: list[str]) -> None:
    whole = " ".join(pages)
    for absent in ("DistilBERT", "distilbert", "[CLS]", "PARADE", "definition"):
        assert absent not in whole
    assert "<s> first </s> </s> second </s>" in whole


def test_entities_of_one_size_have_no_largest(pages: list[str]) -> None:
    whole = " ".join(pages)
    assert "The test split has 6 entities with 4 pairs each." in whole
    assert "the largest" not in whole


def test_hard_names_stand_on_the_page_as_they_are(pages: list[str]) -> None:
    whole = " ".join(pages)
    assert "$x^{ or $y" in whole or "$5 to $10”" in whole
    assert "\x07" not in whole
    assert "\u202e" not in whole


def test_what_is_shown_as_an_error_is_one_at_the_threshold_shown(
    report: Path, pages: list[str]
) -> None:
    made = contents(report)
    examples = made["facts"]["examples"]
    assert len(examples) == 4
    labels = pd.read_parquet(report.parent / "pairs.parquet")
    labels = labels[labels["split"] == "test"].set_index("line")["label"]
    for example in examples:
        assert example["threshold"] == 0.35
        called = example["probability"] >= example["threshold"]
        assert called != labels[example["line"]]
        assert example["kind"] == ("false positive" if called else "false negative")
        if example["figure"]:
            assert "at the threshold .350" in made["figures"][example["figure"]]["caption"]
    assert ", threshold 0.35." in " ".join(" ".join(pages).split())
    for name in ("confusion", "overlap_errors", "error_rates"):
        assert "threshold chosen on validation (.350)" in made["figures"][name]["caption"]


def test_settings_stand_apart(pages: list[str]) -> None:
    text = " ".join("".join(pages).split())
    assert re.search(
        r"of the head: [^;]+; of the trained encoder layers: [^;]+; optimizer: ", text
    )
    assert re.search(
        r"a pair is then split into word pieces( as [^,]+)?, at most \d+ of them", text
    )


def test_the_logged_command_is_the_one_to_reproduce(pages: list[str]) -> None:
    whole = " ".join(pages)
    assert COMMAND in whole
    assert "data shop $5 to $10, encoder my $x^{ encoder" in whole


def test_the_pdf_shows_what_words_change_and_the_nearest_training_pairs(
    report: Path, pages: list[str]
) -> None:
    whole = " ".join(pages)
    examples = contents(report)["facts"]["examples"]
    measured = [each for each in examples if each["first_words"]]
    assert 0 < len(measured) < len(examples)  # of one trial only
    for each in measured:
        assert f"{each['first'].split()[0]}−1.25" in whole.replace(" −", "−")
    assert "the strongest have their change in log-odds" in whole
    assert whole.count("Nearest training pairs") == len(examples)
    for pair in examples[0]["nearest"]:
        label = ("no paraphrase", "a paraphrase")[pair["label"]]
        assert f"“{pair['first']}” and “{pair['second']}”: {label}" in whole


def test_tables_have_rows_and_captions_promise_what_is_there(report: Path) -> None:
    made = contents(report)
    assert all(table["rows"] for table in made["tables"].values())
    assert "cleaning" not in made["tables"]
    for figure in made["figures"].values():
        assert figure["inches"] <= 6.7
        assert (report / figure["file"]).is_file()


def test_no_heading_stands_at_a_pages_foot_with_one_line_below_it(report: Path) -> None:
    for page in PdfReader(report / "Report.pdf").pages:
        *lines, number = page.extract_text().strip().splitlines()
        assert re.fullmatch(r"\d+ / \d+", number.strip())
        assert not any(re.match(r"\d+(\.\d+)* [A-Z]", line) for line in lines[-2:])


def test_no_page_but_the_last_has_a_large_gap_at_its_foot(report: Path) -> None:
    with TemporaryDirectory() as fonts:
        copy_fonts((report / "report.json").read_text(encoding="utf-8"), Path(fonts))
        drawn = typst.compile(
            report / "report.typ", format="png", ppi=30, font_paths=[Path(fonts)]
        )
    pages = [BytesIO(page) for page in drawn if isinstance(page, bytes)]  # one or many
    gaps = []
    for page in pages:
        ink = plt.imread(page)[..., :3].min(axis=(1, 2)) < 0.9  # by row
        rows = np.flatnonzero(ink[: int(len(ink) * (1 - 2.1 / 29.7))])  # without the page's number
        gaps.append(1 - (rows.max() + 1) / len(ink) - 2.1 / 29.7)
    assert len(gaps) > 5
    assert max(gaps[:-1]) < 0.2


def test_both_pages_have_the_chapters_in_the_same_order(report: Path, pages: list[str]) -> None:
    titles = [chapter["title"] for chapter in contents(report)["chapters"]]
    assert titles[:2] == ["The data", "The approach"]
    assert titles[-2:] == ["Assumptions and limits", "How to reproduce"]
    whole = " ".join(pages)
    places = [whole.index(f" {number} {title} ") for number, title in enumerate(titles, 1)]
    assert places == sorted(places)
    page = (report / "index.html").read_text(encoding="utf-8")
    shown = re.findall(r"<h2 id=[^>]+>([^<]+)</h2>", page)
    assert shown == [title for title in titles if title != "The approach"]
    assert (
        page.index(">Errors</h2>") < page.index('id="examples"') < page.index(">All trials</h2>")
    )


def test_a_head_without_attention_has_examples_without_maps(
    report: Path, pages: list[str]
) -> None:
    examples = contents(report)["facts"]["examples"]
    assert [bool(example["figure"]) for example in examples] == [False, False, True, True]
    told = "The head (mean_pooling) has no attention weights: there is no map of them."
    assert " ".join(pages).count(told) == 2
    assert (report / "index.html").read_text(encoding="utf-8").count(told) == 2


def test_a_figure_without_data_is_left_out_with_a_sentence(report: Path, pages: list[str]) -> None:
    assert "entities" not in contents(report)["figures"]
    assert "there is no figure of their sizes" in " ".join(pages)
    assert "flag" in contents(report)["tables"]["grid"]["header"]  # it has values
    assert "p of F1" not in contents(report)["tables"]["differences"]["header"]  # one seed


def test_a_search_in_place_of_a_grid_is_refused_in_words(
    empty_store: Path, tmp_path: Path
) -> None:
    shutil.copyfile(empty_store, tmp_path / "log.db")
    runs = Runs(tmp_path / "log.db", "mine")
    runs.trial(runs.parent("launch", search="optuna"), "000", objective=0.7)
    with pytest.raises(StoreError, match="experiment 'mine' must be a grid, got a search"):
        publish(Store(runs.uri), tmp_path / "report", Sources(grid="mine"))


@pytest.mark.parametrize(("seeds", "told"), [((0, 0), 1), ((0, 1), 0)])
def test_trials_that_differ_in_more_than_the_seed_are_told(
    seeds: tuple[int, ...], told: int
) -> None:
    trials = pd.DataFrame({"freezing": ["all", "all"], "seed": seeds})
    launch = Launch(experiment="e", run_id="r", tags={}, params={}, trials=trials, failed=[])
    notes = notes_on_modes(launch, trials, from_grid=False)
    assert len([note for note in notes if "more than the seed" in note]) == told
