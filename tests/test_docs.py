"""Guards README and guides: what they name exists, tables are complete, no number is stale."""

import argparse
import ast
import re
import runpy
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from models.columns import Columns, read_columns
from models.encoder_files import read_encoder_info
from models.families import FAMILIES
from models.predict import build_parser as build_predict_parser
from tuning.config.experiment import Experiment, TrialConfig
from tuning.config.loader import load_experiment
from tuning.config.search_space import SearchSettings
from tuning.data.split import build_parser as build_split_parser
from tuning.parsers import add_search_options, build_parser, build_pretraining_parser

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
README = (ROOT / "README.md").read_text(encoding="utf-8")
GUIDES = {path.name: path.read_text(encoding="utf-8") for path in sorted(DOCS.glob("*.md"))}
OTHERS = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "benchmarks/README.md")
PAGES = {
    **{name: (ROOT / name).read_text(encoding="utf-8") for name in OTHERS},
    **{f"docs/{name}": text for name, text in GUIDES.items()},
}
SITE: dict[str, Any] = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
FOLDERS = (
    "tuning|models|measures|analysis|benchmarks|experiments|embedded|deploy|docs|tests|scripts"
)
MAKE = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)


def options_of(parser: argparse.ArgumentParser) -> set[str]:
    """Return the long options of an argparse parser."""
    return set(re.findall(r"--[a-z][a-z-]*", parser.format_usage()))


def options_in(script: str) -> set[str]:
    """Return the long options that a script's source adds to its parser."""
    return set(re.findall(r'"(--[a-z][a-z-]*)"', (ROOT / script).read_text(encoding="utf-8")))


RUN = options_of(build_parser("x", "grid.yaml"))
SEARCH = options_of(add_search_options(build_parser("x", "grid.yaml")))
KNOWN = {
    "tuning/run_grid.py": RUN,
    "tuning/run_search.py": SEARCH,
    "tuning/pretrain.py": options_of(build_pretraining_parser()),
}
# Of each table of options: its page, the head of its first column, what it must hold.
TABLES = [
    ("experiments.md", "option", RUN),
    ("search.md", "option", SEARCH - RUN),
    ("encoders.md", "`model_type`", set(FAMILIES)),
    ("encoders.md", "option", KNOWN["tuning/pretrain.py"]),
    ("data.md", "option of tuning.data.split", options_of(build_split_parser())),
    ("data.md", "key", set(Columns.model_fields)),
    ("champion.md", "option", options_of(build_predict_parser())),
    ("champion.md", "option of export_onnx", options_in("models/export_onnx.py")),
    ("experiments.md", "option of reproduce.py", options_in("tuning/reproduce.py")),
    ("recovery.md", "option of tuning.tracking", options_in("tuning/tracking/__main__.py")),
    ("recovery.md", "option of tuning.doctor", options_in("tuning/doctor.py")),
    ("report.md", "option of make_report.py", options_in("analysis/make_report.py")),
    ("report.md", "option of make_submission.py", options_in("analysis/make_submission.py")),
]


def rows_of(page: str, head: str) -> list[list[list[str]]]:
    """Return the rows, as cells, of each table of a guide whose first column has this head."""
    found: list[list[list[str]]] = []
    lines = GUIDES[page].split("\n")
    for number, line in enumerate(lines):
        if line.startswith(f"| {head} |"):
            rows = iter(lines[number + 2 :])
            table = [[cell.strip() for cell in row.split("|")[1:-1]] for row in until_blank(rows)]
            found.append(table)
    return found


def until_blank(lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        if not line.startswith("|"):
            return
        yield line


def prose(text: str) -> str:
    """Return a page without its comments, its blocks and its code."""
    text = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
    return re.sub(r"`[^`\n]*`", "", re.sub(r"```.*?```", "", text, flags=re.DOTALL))


def code_spans(text: str) -> list[str]:
    """Return the pieces of code within the sentences of a page."""
    return re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))


def commands_in(text: str) -> Iterator[list[str]]:
    """Yield the words of each python or make command of a page."""
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").split("\n")]
    for line in [*lines, *code_spans(text)]:
        for part in re.split(r"&&|\|", re.sub(r" +#.*", "", line)):
            found = re.search(r"(?:^|-- |=\w+ )((?:python|make) .+)", part.strip())
            if found:
                yield shlex.split(found[1])


COMMANDS = sorted({(page, tuple(c)) for page, text in PAGES.items() for c in commands_in(text)})


def test_the_readme_is_short() -> None:
    lines = README.split("\n")
    assert len(lines) <= 151  # the last one is empty
    assert max(map(len, lines)) <= 160


def test_the_readme_speaks_of_the_encoder_that_ships() -> None:
    shipped = read_encoder_info(ROOT / "embedded/encoder").fingerprint
    assert set(re.findall(r"\b[0-9a-f]{16}\b", README)) == {shipped}
    assert f"| the embedded encoder | `{shipped}` |" in GUIDES["results.md"]


def test_numbers_in_the_readme_are_among_the_measured_results() -> None:
    results = README.partition("## Results")[2].partition("\n## ")[0]
    rows = [line for line in results.split("\n") if line.startswith("|")]
    numbers = re.findall(r"\d*\.\d+|\d+(?:,\d{3})+|\d{2,}", "\n".join(rows))
    assert len(numbers) > 20
    assert not [number for number in numbers if number not in GUIDES["results.md"]]


@pytest.mark.parametrize(
    ("page", "head", "options"), TABLES, ids=[f"{page} {head}" for page, head, _ in TABLES]
)
def test_a_table_of_options_is_complete(page: str, head: str, options: set[str]) -> None:
    (rows,) = rows_of(page, head)
    named = [option for row in rows for option in code_spans(row[0])]
    assert sorted(named) == sorted(options)


@pytest.mark.parametrize(
    ("page", "head", "number", "model"),
    [
        ("experiments.md", "field", 0, TrialConfig),
        ("experiments.md", "field", 1, Experiment),
        ("search.md", "setting", 0, SearchSettings),
    ],
)
def test_a_table_of_fields_has_them_all_with_their_defaults(
    page: str, head: str, number: int, model: type[BaseModel]
) -> None:
    rows = rows_of(page, head)[number]
    assert [row[0] for row in rows] == [f"`{name}`" for name in model.model_fields]
    for name, default, *_ in rows:
        field = model.model_fields[name.strip("`")]
        if default.startswith("`"):
            assert default == f"`{field.get_default(call_default_factory=True)}`"


@pytest.mark.parametrize(("page", "command"), COMMANDS, ids=lambda value: " ".join(value)[:60])
def test_a_command_exists_with_its_options(page: str, command: tuple[str, ...]) -> None:
    program, *words = command
    if program == "make":
        targets = [word for word in words if "=" not in word and not word.startswith("-")]
        assert set(targets) <= {*MAKE, "FOLDER", "code"}, page
        return
    if words[:2] == ["-m", "pytest"]:
        assert all((ROOT / word).exists() for word in words[2:])
        return
    script = words[0]
    if script == "-m":
        module = words[1].replace(".", "/")
        script = next(name for name in (f"{module}.py", f"{module}/__main__.py")
                      if (ROOT / name).is_file())  # fmt: skip
    assert (ROOT / script).is_file(), page
    given = {word.partition("=")[0] for word in words if word.startswith("--")}
    assert given <= {*KNOWN.get(script, options_in(script)), "--help"}, page


def test_commands_are_found() -> None:
    scripts = {command[1] for _, command in COMMANDS if command[0] == "python"}
    assert {"tuning/run_grid.py", "tuning/run_search.py", "-m", *KNOWN} <= scripts


def slugs(text: str) -> set[str]:
    """Return the anchors of a page's headings."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.M)
    plain = [re.sub(r"[^\w\s-]", "", heading).strip().lower() for heading in headings]
    return {re.sub(r"[-\s]+", "-", heading) for heading in plain}


@pytest.mark.parametrize("page", PAGES)
def test_a_link_leads_to_a_file_and_a_heading_that_exist(page: str) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(PAGES[page])):
        if target.startswith(("http://", "https://")):
            continue
        name, _, anchor = target.partition("#")
        path = (ROOT / page).parent / name if name else ROOT / page
        assert path.exists(), target
        assert not anchor or anchor in slugs(path.read_text(encoding="utf-8")), target


@pytest.mark.parametrize("page", sorted({*PAGES} - {"CHANGELOG.md"}))  # which tells of the past
def test_a_path_that_a_page_names_exists(page: str) -> None:
    for span in code_spans(PAGES[page]):
        if re.fullmatch(rf"(?:{FOLDERS})/[\w./*-]*", span):
            assert list(ROOT.glob(span.rstrip("/"))), span


def test_every_test_that_the_guide_names_exists() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", GUIDES["testing.md"])
    assert len(named) > 50
    for path, name in named:
        tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
        assert name in {n.name for n in tree.body if isinstance(n, ast.FunctionDef)}, (path, name)


@pytest.mark.parametrize("page", ["experiments.md", "search.md"])
def test_an_example_of_an_experiment_is_valid(tmp_path: Path, page: str) -> None:
    (example,) = re.findall(r"```yaml\n(name: .*?)```", GUIDES[page], re.DOTALL)
    path = tmp_path / "mine.yaml"
    path.write_text(example, encoding="utf-8")
    assert load_experiment(path).name == "mine"


def test_the_example_of_columns_is_valid(tmp_path: Path) -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", GUIDES["data.md"], re.DOTALL)
    (tmp_path / "columns.yaml").write_text(example, encoding="utf-8")
    assert read_columns(tmp_path).votes == "yes_votes"


def test_the_drawing_of_the_rooms_is_that_of_the_rules() -> None:
    drawn = runpy.run_path(str(DOCS / "rooms.py"))["draw"]()
    assert (DOCS / "rooms.svg").read_text(encoding="utf-8") == drawn  # python docs/rooms.py


def pages_in(nav: object) -> Iterator[str]:
    if isinstance(nav, str):
        yield nav
    for entry in nav.values() if isinstance(nav, dict) else nav if isinstance(nav, list) else ():
        yield from pages_in(entry)


def test_the_site_is_strict_shows_every_guide_and_asks_nothing_of_the_network() -> None:
    assert sorted(pages_in(SITE["nav"])) == sorted(GUIDES)
    assert SITE["strict"]
    assert SITE["theme"]["font"] is False
    assert SITE["validation"]["invalid_links"]
    assert SITE["validation"]["invalid_link_anchors"]


@pytest.mark.slow
def test_a_broken_link_fails_the_build(tmp_path: Path) -> None:
    shutil.copy(ROOT / "mkdocs.yml", tmp_path)
    shutil.copytree(DOCS, tmp_path / "docs")
    command = [sys.executable, "-m", "zensical", "build", "--strict", "--clean"]
    for broken in ("", "[a](search.md#nowhere)", "[a](nowhere.md)"):
        page = tmp_path / "docs/index.md"
        page.write_text(f"{GUIDES['index.md']}\n{broken}\n", encoding="utf-8")
        ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert (ended.returncode == 0) == (not broken), ended.stdout + ended.stderr
