"""Guards measured numbers on pages: each comes from a record, and new ones must have one."""

import re
import shutil
from pathlib import Path

import pytest

from benchmarks.pages import BLOCK, BLOCKS, NOT_MEASURED, PAGES, PICTURES, fill, render
from benchmarks.picture import draw
from benchmarks.records import RESULTS, read_record, write_record
from tuning.system.project import ROOT

TEXTS = {page: (ROOT / page).read_text(encoding="utf-8") for page in PAGES}
RESULTS_PAGE = TEXTS["docs/results.md"]
# Sections of docs/results.md whose numbers were written by hand. This list may only become
# shorter: what is measured anew leaves a record, and benchmarks/pages.py makes a block of it.
BY_HAND = {
    "What a plan is computed from",
    "What else the head could read",
    "The embedded encoder's own training",
}
OPTIONAL = {"readme_search"}  # to place once the champion is the README's headline


def sections() -> dict[str, str]:
    """Return the text of each section of docs/results.md by its heading."""
    parts = re.split(r"^#{2,3} (.+)$", RESULTS_PAGE, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


@pytest.mark.parametrize("page", PAGES)
def test_a_page_holds_what_its_records_say(page: str) -> None:
    assert fill(TEXTS[page]) == TEXTS[page]  # python benchmarks/results.py --write


def test_every_block_stands_on_a_page() -> None:
    placed = [name for text in TEXTS.values() for name, _ in BLOCK.findall(text)]
    assert set(BLOCKS) - OPTIONAL <= set(placed) <= set(BLOCKS)
    assert all(text.count("<!-- measured") == len(BLOCK.findall(text)) for text in TEXTS.values())


def test_a_section_without_a_record_is_known() -> None:
    assert {name for name, text in sections().items() if not BLOCK.search(text)} == BY_HAND


@pytest.mark.parametrize("name", sorted(set(sections()) - BY_HAND))
def test_a_score_beside_a_block_is_that_of_a_block(name: str) -> None:
    measured = {score for _, block in BLOCK.findall(RESULTS_PAGE) for score in scores(block)}
    assert scores(BLOCK.sub("", sections()[name])) <= measured


def scores(text: str) -> set[str]:
    """Return the numbers with three decimals below 1, such as .795."""
    return set(re.findall(r"(?<![\d.])\.\d{3}\b", text))


@pytest.mark.parametrize("picture", PICTURES)
def test_a_picture_shows_the_numbers_of_its_record(picture: str) -> None:
    record = read_record(PICTURES[picture])
    assert record is not None
    shown, drawn = (
        re.findall(r"<text[^>]*>([^<]*)", svg)
        for svg in ((ROOT / picture).read_text(encoding="utf-8"), draw(record))
    )
    assert shown == drawn  # python benchmarks/results.py --write
    assert len(shown) > 100


def test_another_record_changes_its_blocks_alone(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(RESULTS, tmp_path / "results"))
    record = read_record("grid_parade")
    assert record is not None
    record["numbers"]["trials"][0]["test_auc"] = 0.9876
    write_record("grid_parade", record, folder)
    before, after = (BLOCK.findall(fill(RESULTS_PAGE, place)) for place in (RESULTS, folder))
    (changed,) = (
        (name, new) for (name, old), (_, new) in zip(before, after, strict=True) if old != new
    )
    assert changed[0] == "grid_parade"
    assert "| .988 |" in changed[1]


def test_what_was_not_measured_says_so(tmp_path: Path) -> None:
    assert render("floor", tmp_path) == NOT_MEASURED


def test_an_unknown_block_is_named_with_those_that_exist() -> None:
    with pytest.raises(KeyError, match="no block is called 'flor'; those known: gpu_rates"):
        fill("<!-- measured: flor -->\n<!-- end -->")


@pytest.mark.parametrize("path", sorted(RESULTS.glob("*.json")), ids=lambda path: path.stem)
def test_a_record_says_where_it_is_from(path: Path) -> None:
    record = read_record(path.stem)
    assert record is not None
    assert re.fullmatch(r"[0-9a-f]{7,40}", record["commit"]), "of changed files, or of none"
    assert {"processor", "cores", "torch", "date"} <= set(record["machine"])
    assert not re.search(r"(?<![\w.])/(?!/)\w", record["command"]), "a place on one machine"


def test_all_records_together_are_small() -> None:
    # two of them, a search and a champion, have all their ablations: 170 trials
    assert sum(path.stat().st_size for path in RESULTS.iterdir()) < 300_000
