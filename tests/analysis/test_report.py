"""Guards the report of a small store with hard names: five voters, one seed, flagged cells."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pypdf import PdfReader

from analysis.comparison_notes import notes_on_modes
from analysis.load_runs import Launch, Store, StoreError
from analysis.report import Sources, publish
from tests.analysis.conftest import Runs, make_pairs

pytestmark = pytest.mark.slow  # draws and sets every page

COMMAND = "python tuning/run_grid.py --data 'my pairs' --encoder ./roberta"
TAGS = {
    "data": "shop $5 to $10",
    "data_fingerprint": "d" * 16,
    "encoder": "my $x^{ encoder",
    "encoder_architecture": "roberta",
    "encoder_layers": "4",
    "encoder_width": "8",
    "encoder_fingerprint": "e" * 16,
    "max_tokens": "64",
    "notices": "none",
    "git_commit": "c" * 40,
    "command": COMMAND,
    **{f"{name}_version": "1" for name in ("python", "torch", "ray", "transformers", "mlflow")},
}
NAMES = ["$x^{ or $y", "$5 to $10", "线性 _a_ *b* #c", "a\x07bell", "x" * 300, "\u202eturned"]
WORDS = ["a", "red", "blue", "cold", "hot", "sea", "sun", "car", "#x", "$y", "*z*", "_w_", "10"]
CELLS = [
    ("all", "adamw", "0.001", 0.6),
    ("all", "sgd", "0.001", 0.4),
    ("some", "adamw", "0.01", 0.7),
    ("some", "sgd", "0.01", 0.9),
]


def hard_pairs() -> pd.DataFrame:
    """Return 72 training, 24 validation and 24 test pairs, four for each entity of a split."""
    draw = np.random.default_rng(0)
    rows = []
    for split, count in (("train", 18), ("validation", 6), ("test", 6)):
        for number in range(4 * count):
            texts = [" ".join(draw.choice(WORDS, 6)) for _ in range(2)]
            yes = int(draw.integers(6))
            group = f"{NAMES[number % 6]}{number // 24 or ''}{split if split != 'test' else ''}"
            rows.append((split, *texts, int(yes > 2), yes / 5, group))
    return make_pairs(rows).assign(voters=5)


def attention_of(pairs: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a map for each test pair, as a head that aligns gives them."""
    maps = []
    for row in pairs[pairs["split"] == "test"].itertuples():
        first, second = str(row.first).split(), str(row.second).split()
        tokens = ["<s>", *first, "</s>", "</s>", *second, "</s>"]
        kinds = [1, *[2] * len(first), 1, 1, *[3] * len(second), 1]
        weights = np.full((len(first), len(second)), 0.1).tolist()
        maps.append({"line": row.line, "tokens": tokens, "segments": kinds, "weights": weights})
    return maps


def occlusion_of(pairs: pd.DataFrame) -> dict[str, Any]:
    """Return an example for each test pair of one of the best trials, and none of the other."""
    examples = []
    for row in pairs[pairs["split"] == "test"].itertuples():
        first, second = str(row.raw_first).split(), str(row.raw_second).split()
        changes = [-1.25, *[0.5] * (len(first) - 2), None]
        sides = {"first": list(zip(first, changes, strict=True)),
                 "second": [[word, 0.5] for word in second]}  # fmt: skip
        examples.append({"line": row.line, "log_odds": 2.0, **sides})
    return {"format": 1, "trials": {"some adamw 0.01": examples}}


def log_grid(runs: Runs, scratch: Path) -> None:
    """Write a launch of four trials, of which all with SGD are flagged, with their files."""
    pairs, draw = hard_pairs(), np.random.default_rng(1)
    parent = runs.parent("launch", **{"grid.freezing": "['all', 'some']"})
    for name, value in TAGS.items():
        runs.client.set_tag(parent, name, value)
    pairs.to_parquet(scratch / "pairs.parquet")
    runs.client.log_artifact(parent, str(scratch / "pairs.parquet"), "data")
    (scratch / "attention.json").write_text(json.dumps(attention_of(pairs)), encoding="utf-8")
    measured = json.dumps(occlusion_of(pairs))
    (scratch / "occlusion.json").write_text(measured, encoding="utf-8")
    runs.client.log_artifact(parent, str(scratch / "occlusion.json"), "explanations")
    for freezing, optimizer, rate, value in CELLS:
        sound = {"collapsed": float(optimizer == "sgd"), "diverged": 0, "no_positive": 0}
        run = runs.trial(
            parent, f"{freezing} {optimizer} {rate}", freezing=freezing, optimizer=optimizer,
            learning_rate=rate, val_f1_at_threshold=value, threshold=0.35, all_positive=0,
            best_epoch=2, **sound,
        )  # fmt: skip
        for epoch in (1, 2):
            for metric in ("train_loss", "val_loss", "val_f1"):
                runs.client.log_metric(run, f"while_training/{metric}", 0.5 / epoch, step=epoch)
        told = pairs[["split", "line", "group", "label"]]
        told = told.assign(probability=draw.random(len(told)))
        told.to_csv(scratch / "predictions.csv", index=False)
        for file in ("predictions.csv", "attention.json"):
            runs.client.log_artifact(run, str(scratch / file))


@pytest.fixture(scope="module")
def report(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hard")
    shutil.copyfile(empty_store, folder / "log.db")
    runs = Runs(folder / "log.db", "grid")
    log_grid(runs, folder)
    publish(Store(runs.uri), folder / "report", Sources())
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


def test_no_page_but_the_last_is_nearly_empty(pages: list[str]) -> None:
    assert min(len(text) for text in pages[:-1]) > 200


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
