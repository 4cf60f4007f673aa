"""Guards files on disk: complete or absent, and refused if they were altered."""

import errno
import subprocess
import sys
from pathlib import Path

import pytest

from tuning.system.atomic_files import (
    SUMS,
    DamagedError,
    atomic_copy,
    atomic_write,
    atomic_write_bytes,
    remove_leftovers,
    space_error,
    verify_checksums,
    write_checksums,
)


def test_what_a_killed_process_was_writing_is_removed_and_what_a_living_one_writes_is_not(
    tmp_path: Path,
) -> None:
    write = "import os, sys; open(sys.argv[1].format(os.getpid()), 'w'); os.kill(os.getpid(), 9)"
    (tmp_path / "encoder").mkdir()
    for name in (".x.json.{}.part", "encoder/.model.safetensors.{}.part"):
        subprocess.run([sys.executable, "-c", write, str(tmp_path / name)], check=False)
    assert len(list(tmp_path.rglob("*.part"))) == 2
    with atomic_write(tmp_path / "y") as beside:
        beside.write_bytes(b"y")
        remove_leftovers(tmp_path)
        assert list(tmp_path.rglob("*.part")) == [beside]
    assert (tmp_path / "y").read_bytes() == b"y"


def test_a_file_is_the_old_one_until_the_new_one_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "made" / "x"
    atomic_write_bytes(path, b"old")
    with atomic_write(path) as beside:
        beside.write_bytes(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert list(path.parent.iterdir()) == [path]


def test_a_block_that_fails_leaves_the_old_file_and_nothing_beside(tmp_path: Path) -> None:
    path = tmp_path / "x"
    atomic_write_bytes(path, b"old")

    def work() -> None:
        with atomic_write(path) as beside:
            beside.write_bytes(b"half")
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        work()
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == b"old"


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    path = tmp_path / "file" / "x"
    with pytest.raises(OSError, match=f"{path}: cannot be written"):
        atomic_write_bytes(path, b"1")
    with pytest.raises(OSError, match=f"{path}: cannot be written"):
        atomic_copy(tmp_path / "file", path)


def test_a_full_disk_is_reported_with_the_space_needed_and_left(tmp_path: Path) -> None:
    full = OSError(errno.ENOSPC, "No space left on device")
    message = space_error(tmp_path / "absent" / "x", 3_210_000, full)
    assert f"{tmp_path}/absent/x: cannot be written: No space left on device; 3.2 MB" in message
    assert message.endswith("MB are free")
    assert "needed" not in space_error(tmp_path / "x", None, full)


def folder_with_checksums(folder: Path) -> Path:
    (folder / "model").mkdir(parents=True)
    (folder / "model/weights").write_bytes(b"weights")
    (folder / "result.json").write_text("{}")
    write_checksums(folder)
    return folder


def test_a_folder_that_was_moved_passes_its_checksums(tmp_path: Path) -> None:
    folder_with_checksums(tmp_path / "a").rename(tmp_path / "b")
    verify_checksums(tmp_path / "b")


@pytest.mark.parametrize("name", ["model/weights", "result.json"])
@pytest.mark.parametrize("content", [None, b"weightz"])
def test_a_folder_with_an_altered_or_missing_file_is_refused(
    tmp_path: Path, name: str, content: bytes | None
) -> None:
    folder = folder_with_checksums(tmp_path / "a")
    (folder / name).unlink()
    if content is not None:
        (folder / name).write_bytes(content)
    with pytest.raises(DamagedError, match=f"{folder / name}: is missing or was altered"):
        verify_checksums(folder)


@pytest.mark.parametrize("content", [b"", b"\xff", b"[]", b"3", b'{"a": 1}'])
def test_a_broken_list_of_checksums_is_refused(tmp_path: Path, content: bytes) -> None:
    folder = folder_with_checksums(tmp_path / "a")
    (folder / SUMS).write_bytes(content)
    with pytest.raises(DamagedError, match=r"sha256.json: cannot be read|is missing"):
        verify_checksums(folder)
