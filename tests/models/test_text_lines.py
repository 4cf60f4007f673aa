"""Guards the lines of text files: numbered, whole, in UTF-8; other files are named as such."""

import gzip
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.text_lines import DataError, read_lines


def lines_of(path: Path, content: bytes) -> list[str]:
    path.write_bytes(content)
    return [line for _, line in read_lines(path)]


@given(
    lines=st.lists(
        st.text(st.characters(exclude_characters="\n\0", exclude_categories=["Cs"])),
        min_size=1,
    )
)
def test_lines_are_parted_by_line_feeds_alone(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str]
) -> None:
    path = tmp_path_factory.mktemp("any") / "x.tsv"
    content = "".join(f"{line}\n" for line in ["head", *lines])
    assert lines_of(path, content.encode()) == [f"{line}\n" for line in ["head", *lines]]


def test_a_file_without_line_feeds_is_parted_by_carriage_returns(tmp_path: Path) -> None:
    assert lines_of(tmp_path / "x.tsv", b"a\rb\rc") == ["a\r", "b\r", "c"]


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path) -> None:
    assert lines_of(tmp_path / "x.tsv", b"\xef\xbb\xbfa\nb") == ["a\n", "b"]


def test_a_packed_file_has_the_same_lines(tmp_path: Path) -> None:
    assert lines_of(tmp_path / "x.tsv.GZ", gzip.compress(b"a\nb\n")) == ["a\n", "b\n"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.tsv", "first\n".encode("utf-16"), "is UTF-16, must be UTF-8; iconv -f UTF-16"),
        (
            "x.tsv",
            "first\n".encode("utf-16-be"),
            "must be text, got a zero byte; is it UTF-16 or binary?",
        ),
        ("x.tsv", b"a\nb\xe9\n", "line 2: must be UTF-8, got the byte 0xe9; if it is Latin-1"),
        ("x.tsv", gzip.compress(b"a"), "is packed by gzip; its name must end in .gz"),
        ("x.csv", b"PK\x03\x04xl", "is an Excel workbook or a zip archive"),
        ("x.tsv", "first\n".encode("utf-32"), "is UTF-32, must be UTF-8; iconv -f UTF-32"),
        ("x.tsv.gz", gzip.compress(gzip.compress(b"a")), "is packed by gzip twice; unpack it"),
        ("x.tsv.gz", b"version https://git-lfs.github.com/spec/v1\n", "is a pointer of Git LFS"),
        ("x.csv", b"PAR1", "is a Parquet file; its name must end in .parquet"),
        ("x.tsv", b"version https://git-lfs.github.com/spec/v1\n", "is a pointer of Git LFS"),
        ("x.tsv.gz", b"first\n", "cannot be read: Not a gzipped file"),
        ("x.tsv.gz", gzip.compress(b"first\n" * 99)[:-9], "cannot be read: Compressed file ended"),
        ("x.tsv.gz", b"\x1f\x8b\x08" + b"\0" * 9 + b"\7\7\7", "cannot be read: Error -3"),
    ],
)
def test_a_file_that_is_not_what_its_name_says_is_named(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    with pytest.raises(DataError) as caught:
        lines_of(tmp_path / name, content)
    assert f"{tmp_path / name}: {message}" in str(caught.value)


def test_an_absent_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"x: cannot be read: No such file"):
        list(read_lines(tmp_path / "x"))
    with pytest.raises(DataError, match=r"cannot be read: Is a directory"):
        list(read_lines(tmp_path))


def test_a_file_that_may_not_be_read_is_named() -> None:
    nobody = 65534
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "x.tsv"
        path.write_bytes(b"a\n")
        path.chmod(0)
        Path(name).chmod(0o755)
        user = os.geteuid()
        try:
            if user == 0:  # root may read everything
                os.seteuid(nobody)
            with pytest.raises(DataError, match=r"x\.tsv: cannot be read: Permission denied"):
                list(read_lines(path))
        finally:
            os.seteuid(user)
