"""Guards adaptation: the training split's text in both orders, and no byte of the other two."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tuning.data.pairs import DataError
from tuning.pretraining.corpus import read_pair_text
from tuning.system.project import ROOT

PAIRS = ROOT / "embedded/pairs"


def pair_folder(folder: Path, rows: list[tuple[str, str, str]]) -> Path:
    lines = ["term\tfirst\tsecond\tlabel"]
    lines += [f"{term}\t{a}\t{b}\t{n % 2}" for n, (term, a, b) in enumerate(rows)]
    (folder / "train.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "columns.yaml").write_text("group: term\n", encoding="utf-8")
    return folder


ROWS = [(f"term {n // 3}", f"first {n}", f"second {n}") for n in range(12)]


def test_a_pair_stands_in_both_orders_and_each_once(tmp_path: Path) -> None:
    found = read_pair_text(pair_folder(tmp_path, ROWS), 0.25, seed=0)
    texts = found.training + found.heldout
    pairs = list(zip(texts[::2], texts[1::2], strict=True))
    expected = [(a, b) for _, a, b in ROWS] + [(b, a) for _, a, b in ROWS]
    assert sorted(pairs) == sorted(expected)
    assert found.pairs == len(ROWS)


def test_held_out_groups_are_not_trained_on(tmp_path: Path) -> None:
    found = read_pair_text(pair_folder(tmp_path, ROWS), 0.25, seed=3)
    groups = {text: term for term, a, b in ROWS for text in (a, b)}
    trained, held_out = ({groups[t] for t in texts} for texts in (found.training, found.heldout))
    assert len(held_out) == 1
    assert not trained & held_out


def test_the_order_is_the_seeds(tmp_path: Path) -> None:
    folder = pair_folder(tmp_path, ROWS)
    one, same, other = (read_pair_text(folder, 0.25, seed) for seed in (0, 0, 1))
    assert one == same
    assert one.training != other.training
    assert one.fingerprint != other.fingerprint


def test_one_group_is_too_few(tmp_path: Path) -> None:
    folder = pair_folder(tmp_path, ROWS[:3])
    with pytest.raises(DataError, match=r"train\.tsv: must have two groups or more.* got 1"):
        read_pair_text(folder, 0.25, 0)


def test_a_folder_needs_no_other_split(tmp_path: Path) -> None:
    for name in ("train.tsv", "columns.yaml"):
        shutil.copy(PAIRS / name, tmp_path)
    assert read_pair_text(tmp_path, 0.1, 0) == read_pair_text(PAIRS, 0.1, 0)


def opened_files(folder: Path) -> list[str]:
    """Return the names of the files in ``folder`` that planning an adaptation opens."""
    code = (
        "import os, sys\n"
        "opened = []\n"
        "def hook(event, args):\n"
        "    if event == 'open' and isinstance(args[0], (str, os.PathLike)):\n"
        "        opened.append(os.fspath(args[0]))\n"
        "sys.addaudithook(hook)\n"
        "from tuning.cli import build_pretraining_parser, pretraining_options\n"
        "from tuning.pretraining.plan import make_plan\n"
        f"words = ['--init', 'embedded', '--adapt', {str(folder)!r}, '--output', 'none']\n"
        "make_plan(pretraining_options(build_pretraining_parser().parse_args(words)))\n"
        f"found = [os.path.basename(p) for p in opened if p.startswith({str(folder)!r})]\n"
        "print(*sorted(set(found)))\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    return ended.stdout.split()


def test_validation_and_test_are_never_opened() -> None:
    assert opened_files(PAIRS) == ["columns.yaml", "train.tsv"]


@pytest.mark.skipif("PARADE_DIR" not in os.environ, reason="set PARADE_DIR to check PARADE too")
def test_of_parade_the_training_file_alone_is_opened() -> None:
    assert opened_files(Path(os.environ["PARADE_DIR"]).resolve()) == ["PARADE_train.txt"]
