"""Guards how the code reads: argument lines that start with a noun, first lines, sizes."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("analysis", "benchmarks", "measures", "models", "tuning")
PATHS = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
# Read and parsed once; a rule is one test, which names the files that break it.
TEXTS = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in PATHS}
TREES = {name: ast.parse(text) for name, text in TEXTS.items()}
Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def docstrings() -> Iterator[tuple[str, str]]:
    """Give the place and the docstring of every module and of all that is in it."""
    for name, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, Documented) and (text := ast.get_docstring(node)):
                yield f"{name} {getattr(node, 'name', '')}", text


def test_the_line_of_an_argument_does_not_begin_with_of() -> None:
    found = [
        f"{place}: {line.strip()}"
        for place, text in docstrings()
        for line in text.split("\n")
        if re.match(r"\s+\*{0,2}\w+( \(.*?\))?: (of|from)\b", line, re.IGNORECASE)
    ]
    assert not found


def test_a_module_opens_with_a_sentence() -> None:
    opened = {
        name: (ast.get_docstring(tree) or "").split("\n\n")[0] for name, tree in TREES.items()
    }
    ends = re.compile(r"[.\])]$")  # or the arguments of a command
    assert not [name for name, text in opened.items() if not ends.search(text)]


def test_a_file_is_one_idea() -> None:
    assert not [name for name, text in TEXTS.items() if len(text.splitlines()) > 250]


def test_a_command_to_copy_quotes_its_values() -> None:
    bare = r'f"[^"]*python (?:tuning/|-m tuning)[\w./]*(?: [\w-]+)* \{(?!shlex)'
    assert not [(name, found) for name, text in TEXTS.items() for found in re.findall(bare, text)]


def test_every_command_has_its_frame_and_takes_whole_options() -> None:
    for name, text in TEXTS.items():
        parsers = re.findall(r"(?:Argument|Hinting)Parser\((?!argparse)", text)
        assert len(parsers) == text.count("allow_abbrev=False"), name
        if not name.startswith("benchmarks/") and "def main() -> int:" in text:
            framed = "    sys.exit(run_command(main))\n" in text
            assert framed or name.endswith("/hub_process.py"), name


def test_an_address_is_made_and_read_by_measures_addresses() -> None:
    for name, text in TEXTS.items():
        if name.endswith("/addresses.py"):
            continue
        assert "sqlite:///{" not in text, name  # sqlite_url: a path may hold % and ?
        at_hand = re.fullmatch(r"benchmarks/[^/]*", name)
        assert at_hand or "type=Path" not in text, name  # user_path: or ~
