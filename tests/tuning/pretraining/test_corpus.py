"""Guards reading text: every paragraph kept or held out, and a sentence for each bad file."""

import gzip
from pathlib import Path

import pytest

from tuning.pretraining.corpus import CorpusError, open_corpus, read_paragraphs


def lines_of(count: int) -> str:
    return "".join(f"paragraph {n}\n" for n in range(count))


def test_plain_and_packed_files_say_the_same(tmp_path: Path) -> None:
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
    "empty.txt": (b" \n\n", "must have text, a paragraph a line, got none"),
    "binary.txt": (b"text\n\x7fELF\0\0", "line 2: must be text, got a zero byte; is it binary"),
    "latin.txt": (b"text\ncaf\xe9\n", "line 2: must be UTF-8, got the byte 0xe9; iconv"),
    "cut.txt.gz": (gzip.compress(lines_of(900).encode())[:60], "is no whole .gz file"),
    "plain.txt.gz": (b"not packed", "is no whole .gz file"),
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
    with pytest.raises(CorpusError, match="is to be trained on and held out"):
        open_corpus([file], [file], 0.1)
