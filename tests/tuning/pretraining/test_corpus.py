"""Guards the text of pretraining: held-out text is never trained on, bad files are refused."""

import gzip
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from models.table_files import DataError
from tuning.pretraining.corpus import CorpusError, open_corpus, read_pair_text, read_paragraphs
from tuning.system.project import ROOT

PAIRS = ROOT / "embedded/pairs"
ROWS = [(f"term {n // 3}", f"first {n}", f"second {n}") for n in range(12)]


def lines_of(count: int) -> str:
    return "".join(f"paragraph {n}\n" for n in range(count))


def test_plain_and_packed_files_have_the_same_text(tmp_path: Path) -> None:
    plain, packed = tmp_path / "a.txt", tmp_path / "a.txt.gz"
    text = 'first  \n\n  • second &" third\nﬁle'
    plain.write_text(text, encoding="utf-8")
    packed.write_bytes(gzip.compress(text.encode()))
    assert list(read_paragraphs([plain])) == ["first", 'second " third', "file"]
    assert list(read_paragraphs([packed])) == list(read_paragraphs([plain]))


def test_every_nth_paragraph_is_held_out_and_the_others_are_trained_on(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text(lines_of(23), encoding="utf-8")
    corpus = open_corpus([file], [], 0.1)
    held_out, trained = list(corpus.heldout()), list(corpus.training())
    assert held_out == ["paragraph 0", "paragraph 10", "paragraph 20"]
    assert sorted(held_out + trained) == sorted(lines_of(23).splitlines())


def test_held_out_files_leave_the_others_whole(tmp_path: Path) -> None:
    file, other = tmp_path / "a.txt", tmp_path / "b.txt"
    file.write_text(lines_of(7), encoding="utf-8")
    other.write_text("held\n", encoding="utf-8")
    corpus = open_corpus([file], [other], 0.1)
    assert (len(list(corpus.training())), list(corpus.heldout())) == (7, ["held"])


def test_the_fingerprint_changes_with_the_text(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text("one", encoding="utf-8")
    before = open_corpus([file], [], 0.1).fingerprint
    file.write_text("two", encoding="utf-8")
    assert open_corpus([file], [], 0.1).fingerprint != before


BAD = {
    "empty.txt": (b" \n\n", "must have text, one paragraph per line, got none"),
    "binary.txt": (b"text\n\x7fELF\0\0", "line 2: must be text, got a zero byte; is it binary"),
    "latin.txt": (b"text\ncaf\xe9\n", "line 2: must be UTF-8, got the byte 0xe9; iconv"),
    "cut.txt.gz": (gzip.compress(lines_of(900).encode())[:60], "must be a complete .gz file"),
    "plain.txt.gz": (b"not packed", "must be a complete .gz file"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_named_with_line_and_rule(name: str, tmp_path: Path) -> None:
    content, rule = BAD[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CorpusError, match=rule) as caught:
        list(read_paragraphs([tmp_path / name]))
    assert str(tmp_path / name) in str(caught.value)


def test_a_file_that_is_absent_or_in_both_lists_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"none\.txt: cannot be read: No such file"):
        open_corpus([tmp_path / "none.txt"], [], 0.1)
    file = tmp_path / "a.txt"
    file.write_text("text", encoding="utf-8")
    with pytest.raises(
        CorpusError, match="must be a file to train on or a held-out file, got it as both"
    ):
        open_corpus([file], [file], 0.1)


def pair_folder(folder: Path, rows: list[tuple[str, str, str]]) -> Path:
    lines = ["term\tfirst\tsecond\tlabel"]
    lines += [f"{term}\t{a}\t{b}\t{n % 2}" for n, (term, a, b) in enumerate(rows)]
    (folder / "train.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "columns.yaml").write_text("group: term\n", encoding="utf-8")
    return folder


def test_a_pair_is_read_in_both_orders_each_once(tmp_path: Path) -> None:
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


def test_the_seed_fixes_the_order_of_the_pairs(tmp_path: Path) -> None:
    folder = pair_folder(tmp_path, ROWS)
    one, same, other = (read_pair_text(folder, 0.25, seed) for seed in (0, 0, 1))
    assert one == same
    assert one.training != other.training
    assert one.fingerprint != other.fingerprint


def test_a_single_group_is_refused(tmp_path: Path) -> None:
    folder = pair_folder(tmp_path, ROWS[:3])
    with pytest.raises(DataError, match=r"train\.tsv: must have at least two groups.* got 1"):
        read_pair_text(folder, 0.25, 0)


def test_pairs_are_read_without_the_other_splits(tmp_path: Path) -> None:
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
        "from tuning.cli import pretraining_options\n"
        "from tuning.parsers import build_pretraining_parser\n"
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


def test_validation_and_test_files_are_never_opened() -> None:
    assert opened_files(PAIRS) == ["columns.yaml", "train.tsv"]


@pytest.mark.skipif("PARADE_DIR" not in os.environ, reason="set PARADE_DIR to check PARADE too")
def test_only_the_training_file_of_parade_is_opened() -> None:
    assert opened_files(Path(os.environ["PARADE_DIR"]).resolve()) == ["PARADE_train.txt"]
