"""Guards what frames every command: any terminal, any home, a reader that leaves, arguments."""

import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

Changes = Mapping[str, str | None]  # of the environment; None removes a variable
RUN = "from measures.command_line import run_command\n"
SHOW = f"""{RUN}
import os, sys
def main():
    print("F1", chr(177), chr(252), os.path.expanduser("~"), os.fsencode(sys.argv[1]))
    return 3
sys.exit(run_command(main))
"""


def run(
    code: str, *words: str | bytes, changes: Changes | None = None, out: int = subprocess.PIPE
) -> subprocess.CompletedProcess[bytes]:
    kept = {
        name: text for name, text in {**os.environ, **(changes or {})}.items() if text is not None
    }
    command = [sys.executable, "-c", code, *words]
    return subprocess.run(command, env=kept, stdout=out, stderr=subprocess.PIPE, check=False)


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({"PYTHONIOENCODING": "utf-8"}, "F1 ± ü".encode()),
        ({"PYTHONIOENCODING": "ascii"}, rb"F1 \xb1 \xfc"),
        ({"PYTHONIOENCODING": "latin-1"}, "F1 ± ü".encode("latin-1")),
        ({"PYTHONIOENCODING": None, "LC_ALL": "C", "PYTHONUTF8": "0"}, rb"F1 \xb1 \xfc"),
        ({"PYTHONIOENCODING": None, "LC_ALL": "C", "PYTHONUTF8": None}, "F1 ± ü".encode()),
    ],
)
def test_output_is_what_the_terminal_takes_and_arguments_stay(
    changes: Changes, shown: bytes
) -> None:
    ended = run(SHOW, "ü".encode(), changes=changes)
    assert (ended.returncode, ended.stderr) == (3, b"")
    assert ended.stdout.startswith(shown)
    assert ended.stdout.rstrip().endswith(rb"b'\xc3\xbc'")


def test_an_argument_that_is_not_utf8_is_refused() -> None:
    ended = run(SHOW, b"data-\xff")
    assert ended.returncode == 2
    assert rb"-c: error: argument b'data-\xff': must be UTF-8" in ended.stderr
    assert b"another name with ln -s" in ended.stderr


@pytest.mark.parametrize("name", ["HF_HUB_DOWNLOAD_TIMEOUT", "HF_HUB_ETAG_TIMEOUT"])
def test_a_time_limit_that_is_no_number_is_refused_by_name(name: str) -> None:
    ended = run(SHOW, "x", changes={name: "abc"})
    assert ended.returncode == 2
    assert f"error: {name}: must be a whole number of seconds, got 'abc'" in ended.stderr.decode()


@pytest.mark.parametrize(
    "code",
    [
        'def main(): print("x", flush=True); return 0',
        'def main(): print("x"); return 0',
        'def main():\n  print("x" * 99999)\n  sys.stderr.write("went on")',
        'def main(): sys.exit(print("help"))',
        "def main():\n  try: print(1, flush=True)\n  except OSError: sys.stderr.write('told')",
    ],
)
def test_a_reader_that_leaves_ends_the_command_quietly(code: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    ended = run(f"{RUN}import sys\n{code}\nsys.exit(run_command(main))", out=writer)
    os.close(writer)
    assert (ended.returncode, ended.stderr) == (1, b"")


@pytest.mark.parametrize(
    "code",
    ['print("x")', 'print("x" * 99999)', 'sys.exit(print("help"))', "print(1, flush=True)"],
)
def test_output_that_is_refused_ends_the_command_with_a_sentence(code: str) -> None:
    with Path("/dev/full").open("wb") as full:
        ended = run(
            f"{RUN}import sys\ndef main(): {code}\nsys.exit(run_command(main))", out=full.fileno()
        )
    told = b"-c: error: standard output cannot be written: No space left on device\n"
    assert (ended.returncode, ended.stderr) == (2, told)


def test_closed_streams_are_replaced_before_a_file_gets_their_numbers(tmp_path: Path) -> None:
    code = f"""{RUN}
import sys
def main():
    with open({str(tmp_path / "kept")!r}, "w") as file:
        print("lost", file=sys.stderr)
        print("lost", flush=True)
        file.write(f"{{file.fileno() > 2}} {{sys.stdin.read()!r}}")
    return 3
sys.exit(run_command(main))
"""
    closed = f"{shlex.join([sys.executable, '-c', code])} <&- >&- 2>&-"
    assert subprocess.run(["sh", "-c", closed], check=False).returncode == 3
    assert (tmp_path / "kept").read_text() == "True ''"


def test_a_current_folder_that_was_removed_is_named() -> None:
    with TemporaryDirectory() as outer:
        gone = Path(outer) / "gone"
        gone.mkdir()
        left = f"os.chdir({str(gone)!r}); os.rmdir({str(gone)!r}); sys.exit("
        code = SHOW.replace("sys.exit(", left)
        ended = run(code, "x")
    assert ended.returncode == 2
    assert b"error: the current folder was removed; change to another one" in ended.stderr


def test_a_broken_pipe_elsewhere_stays_an_error() -> None:
    code = 'def main(): raise BrokenPipeError("the store has left")'
    ended = run(f"{RUN}import sys\n{code}\nsys.exit(run_command(main))")
    assert b"the store has left" in ended.stderr


def home_of(changes: Changes) -> Path:
    ended = run(SHOW, "x", changes={"PYTHONIOENCODING": "utf-8", **changes})
    assert (ended.returncode, ended.stderr) == (3, b"")
    return Path(ended.stdout.decode().split()[3])


def test_an_unusable_home_is_replaced_by_a_folder_of_this_user_alone(tmp_path: Path) -> None:
    found = home_of({"HOME": str(tmp_path / "absent"), "TMPDIR": str(tmp_path)})
    assert found == tmp_path / f"home-of-{os.getuid()}"
    assert found.stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(os.getuid() != 0, reason="only root can take another user's place")
def test_without_a_home_and_a_name_a_user_gets_one() -> None:
    code = SHOW.replace("sys.exit(", "os.setuid(54321); sys.exit(")
    with TemporaryDirectory() as folder:  # tmp_path is closed to other users
        Path(folder).chmod(0o777)
        for home in (None, "/"):
            changes = {"HOME": home, "TMPDIR": folder, "PYTHONIOENCODING": "utf-8"}
            ended = run(code, "x", changes=changes)
            assert ended.returncode == 3, ended.stderr
            assert f"{folder}/home-of-54321".encode() in ended.stdout


def test_a_home_that_can_be_used_stays(tmp_path: Path) -> None:
    assert home_of({"HOME": str(tmp_path)}) == tmp_path
