"""The frame of every command: text that any terminal takes, a home folder, arguments in UTF-8."""

from __future__ import annotations

import gc
import io
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

# Whole numbers that huggingface_hub reads when it is imported, with a trace if they are none.
_NUMBERS = ("HF_HUB_DOWNLOAD_TIMEOUT", "HF_HUB_ETAG_TIMEOUT")


class _Output(io.TextIOWrapper):
    """Standard output that ends the command where nobody takes it: quietly if ``head`` left."""

    def write(self, text: str, /) -> int:
        with _end_if_refused():
            return super().write(text)

    def flush(self) -> None:
        with _end_if_refused():
            super().flush()


def run_command(main: Callable[[], int]) -> int:
    """Return the exit code of a command's main function, run where its surroundings allow it.

    Characters that the terminal cannot show are written as escapes; what is read and written in
    files does not depend on the terminal. 2 is returned if arguments or environment are unusable.

    Args:
        main: Function that reads ``sys.argv`` and returns the exit code.
    """
    _replace_closed()
    _compute_in_utf8()
    _open_output()
    for fault in (*_argument_faults(), *_number_faults(), *_folder_faults()):
        _write_error(fault)
        return 2
    _provide_home()
    try:
        return main()
    finally:
        sys.stdout.flush()
        gc.freeze()  # Python would search all modules for garbage, for most of a second


def _write_error(sentence: str) -> None:
    sys.stderr.write(f"{Path(sys.argv[0]).name}: error: {sentence}\n")


def _replace_closed() -> None:
    """Open the standard streams that the shell closed, as with ``>&-``.

    Other files would get their numbers else, and what other processes print.
    """
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            number = os.open(os.devnull, os.O_RDWR)  # the lowest free one: that of the stream
            os.set_inheritable(number, True)
            stream = os.fdopen(number, "r" if name == "stdin" else "w", encoding="utf-8")
            setattr(sys, name, stream)
            setattr(sys, f"__{name}__", stream)  # keeps it open, whatever replaces the other


def _compute_in_utf8() -> None:
    """Start this command again in Python's UTF-8 mode, where the locale has other file names."""
    if sys.getfilesystemencoding() == "utf-8" or os.environ.get("PYTHONUTF8") == "1":
        return
    os.environ["PYTHONUTF8"] = "1"
    os.environ.setdefault("PYTHONIOENCODING", sys.stdout.encoding)  # what the terminal takes
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def _open_output() -> None:
    """Let standard output and error take every character, here and in processes started here."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    if not isinstance(sys.stdout, io.TextIOWrapper):
        return  # a notebook's, or none
    encoding, lines = sys.stdout.encoding, sys.stdout.line_buffering
    if encoding.lower() != "utf-8":
        os.environ["PYTHONIOENCODING"] = f"{encoding}:backslashreplace"
    sys.stdout = _Output(
        sys.stdout.buffer, encoding=encoding, errors="backslashreplace", line_buffering=lines
    )


@contextmanager
def _end_if_refused() -> Iterator[None]:
    """End with exit code 1, as ``rich`` does, if nobody reads what is written; 2 if it is refused.

    The latter is told: the disk of a file that takes the output is full, for instance.
    """
    try:
        yield
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # for what is written at the very end
        if isinstance(error, BrokenPipeError):
            raise SystemExit(1) from None
        _write_error(f"standard output cannot be written: {error.strerror}")
        raise SystemExit(2) from None


def _argument_faults() -> Iterator[str]:
    for argument in sys.argv:
        try:
            argument.encode()
        except UnicodeEncodeError:
            yield (
                f"argument {os.fsencode(argument)!r}: must be UTF-8, as all names in the log are; "
                "rename the file, or give it another name with ln -s"
            )


def _number_faults() -> Iterator[str]:
    for name in _NUMBERS:
        value = os.environ.get(name, "0")
        try:
            int(value)
        except ValueError:
            yield f"{name}: must be a whole number of seconds, got {value!r}; change or unset it"


def _folder_faults() -> Iterator[str]:
    try:
        Path.cwd()
    except FileNotFoundError:
        yield "the current folder was removed; change to another one, as with cd"


def _provide_home() -> None:
    """Set HOME to a folder of temporary files if it is no folder that libraries can use.

    In containers a user may have none, or one that cannot be written; one that has caches to be
    read stays.
    """
    home = Path(os.path.expanduser("~"))  # noqa: PTH111 - "~" itself without a home, and no error
    if home.is_absolute() and (os.access(home, os.W_OK) or os.access(home / ".cache", os.R_OK)):
        return
    folder = Path(tempfile.gettempdir()) / f"home-of-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid():  # another user's, whose files are not to be trusted
        folder = Path(tempfile.mkdtemp(prefix="home-of-"))
    os.environ["HOME"] = str(folder)
