"""Guards how the code reads: argument lines that start with a noun, first lines, sizes."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("analysis", "benchmarks", "measures", "models", "tuning")
FILES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def docstrings(path: Path) -> Iterator[tuple[str, str]]:
    """Give the name and the docstring of a module and of all that is in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, Documented) and (text := ast.get_docstring(node)):
            yield getattr(node, "name", path.stem), text


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_line_of_an_argument_does_not_begin_with_of(path: Path) -> None:
    found = [
        f"{name}: {line.strip()}"
        for name, text in docstrings(path)
        for line in text.split("\n")
        if re.match(r"\s+\*{0,2}\w+( \(.*?\))?: (of|from)\b", line, re.IGNORECASE)
    ]
    assert not found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_opens_with_a_sentence(path: Path) -> None:
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    assert re.search(r"[.\])]$", text.split("\n\n")[0])  # or the arguments of a command


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_is_one_idea(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 250


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_command_to_copy_quotes_its_values(path: Path) -> None:
    bare = r'f"[^"]*python (?:tuning/|-m tuning)[\w./]*(?: [\w-]+)* \{(?!shlex)'
    assert not re.findall(bare, path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_has_its_frame_and_takes_whole_options(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count("ArgumentParser(") == text.count("allow_abbrev=False")
    if path.parts[len(ROOT.parts)] != "benchmarks" and "def main() -> int:" in text:
        assert "    sys.exit(run_command(main))\n" in text or path.name == "hub_process.py"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_an_address_is_made_and_read_by_measures_addresses(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    if path.name != "addresses.py":
        assert "sqlite:///{" not in text  # sqlite_url: a path may hold % and ?
        assert path.parent.name == "benchmarks" or "type=Path" not in text  # user_path: or ~
