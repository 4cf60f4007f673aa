"""A process that downloads an encoder: python -m tuning.download.hub_process NAME SECONDS.

Each line that it prints is a JSON object: ``done`` and ``total`` in bytes, ``log`` with a warning
of the library, ``folder`` at the end, or ``sentence`` and ``detail`` of an error.
"""

from __future__ import annotations

import errno
import json
import logging
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi, constants, get_session, hf_hub_url, snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HFValidationError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
)
from huggingface_hub.file_download import http_get, repo_folder_name
from huggingface_hub.hf_api import RepoSibling
from huggingface_hub.utils import build_hf_headers, tqdm

from tuning.download.download import lock_when_free, sum_of
from tuning.download.download_causes import (
    DownloadError,
    detail_of,
    host_of,
    sentence_of,
    status_of,
)
from tuning.download.hub_files import choose_files
from tuning.system.atomic_files import DiskError, space_error

_CHUNK = 4096  # bytes; the library's own 10 MB would hide a slow line for minutes
_PAUSE = 0.1  # seconds between reports
_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS)


class _Progress:
    """The bytes that are here, over all files; it is one for the process, as its bars are."""

    total = 0
    ended = 0  # bytes of the files whose downloads have ended
    bars: list[ReportingBar] = []  # noqa: RUF012 - those of the running download
    reported = 0.0

    @classmethod
    def report(cls, *, at_once: bool = False) -> None:
        """Print what is here; not more often than every tenth of a second, unless at once."""
        if at_once or time.monotonic() - cls.reported > _PAUSE:
            cls.reported = time.monotonic()
            # two bars count the same bytes: as received, and as written
            done = cls.ended + max((int(bar.n) for bar in cls.bars), default=0)
            _tell(done=min(done, cls.total), total=cls.total)

    @classmethod
    def end(cls, size: int) -> None:
        """Count the files of a download that has ended, and forget its bars."""
        cls.ended += size
        cls.bars.clear()
        cls.report(at_once=True)


class ReportingBar(tqdm):
    """The library's progress bar, which draws nothing and reports bytes to the parent process."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "disable": True})
        self.counts_bytes = kwargs.get("unit") == "B"
        if self.counts_bytes:
            _Progress.bars.append(self)

    def update(self, n: float | None = 1) -> bool | None:
        """Count, and report bytes; a bar that is disabled would not count by itself."""
        self.n += n or 0
        if self.counts_bytes:
            _Progress.report()


class _Log(logging.Handler):
    """Passes the library's warnings, as those on tries again, to the parent process."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print a warning."""
        _tell(log=record.getMessage())


def _tell(**values: object) -> None:
    sys.stdout.write(json.dumps(values) + "\n")
    sys.stdout.flush()


def main(arguments: Sequence[str]) -> int:
    """Download the encoder; return 0, 1 after an error that was told, 130 after Ctrl-C."""
    name, seconds = arguments[0], float(arguments[1])
    constants.DOWNLOAD_CHUNK_SIZE = _CHUNK
    library = logging.getLogger("huggingface_hub")
    library.handlers, library.propagate = [_Log()], False
    try:
        _tell(folder=_download(name, seconds))
    except KeyboardInterrupt:
        return 130
    except DownloadError as error:
        _tell(sentence=str(error), detail=error.detail)
    except Exception as error:  # whatever the library raises becomes a sentence
        _tell(sentence=_sentence(error, name), detail=detail_of(error))
    else:
        return 0
    return 1


def _download(name: str, seconds: float) -> str:
    """Download small files first and the weights last; return the folder that has them all."""
    _report_answers()
    _Progress.report(at_once=True)  # the imports are done: from here on the hub is waited for
    info = HfApi().model_info(name, files_metadata=True)
    files = {file.rfilename: file for file in info.siblings or []}
    chosen = choose_files(files)
    if not chosen:
        raise DownloadError(
            f"{name} at {_hub()} is no encoder that can be read: it needs config.json, weights "
            "(safetensors or pytorch_model.bin) and tokenizer.json or vocab.txt",
            f"{name} has: {', '.join(files)}",
        )
    _Progress.total = sum(files[file].size or 0 for file in chosen)
    large = [file for file in chosen if files[file].lfs is not None]
    small = [file for file in chosen if file not in large]
    if small:
        snapshot_download(name, allow_patterns=small, max_workers=1, tqdm_class=ReportingBar)
    _Progress.end(sum(files[file].size or 0 for file in small))
    for file in large:
        _fetch(name, str(info.sha), files[file], seconds)
    # the large files are in the cache by now, and are only linked
    return snapshot_download(name, allow_patterns=chosen, max_workers=1, tqdm_class=ReportingBar)


def _report_answers() -> None:
    """Report each answer of the hub, because several without a body may precede the first byte."""
    session = get_session()
    hooks = session.event_hooks
    hooks["response"].append(
        lambda response: _Progress.report(at_once=True) if response.status_code < 400 else None
    )
    session.event_hooks = hooks


def _fetch(name: str, commit: str, file: RepoSibling, seconds: float) -> None:
    """Bring a large file into the cache under its checksum, after what is here of it already.

    Newer versions of the library keep no part of a file that could be continued.

    Raises:
        DownloadError: If it has another checksum than the hub lists.
        DiskError: If there is not enough space.
    """
    assert file.lfs is not None, "large files have a checksum"
    cache, folder = Path(constants.HF_HUB_CACHE), repo_folder_name(repo_id=name, repo_type="model")
    blob = cache / folder / "blobs" / file.lfs.sha256
    lock = cache / ".locks" / folder / f"{blob.name}.lock"
    for needed in (blob.parent, lock.parent):
        needed.mkdir(parents=True, exist_ok=True)
    url = hf_hub_url(name, file.rfilename, revision=commit)
    with lock_when_free(lock, blob.parent, seconds, lambda: _Progress.report(at_once=True)):
        if not blob.exists() and not _fill(url, blob, file.lfs.size):
            text = f"{_hub()} sent {file.rfilename} damaged: its checksum differs"
            raise DownloadError(text, url)
    _Progress.end(file.lfs.size)


def _fill(url: str, blob: Path, size: int) -> bool:
    """Download a file that is named by its checksum; return whether it has that checksum.

    After a cut it is continued as long as each try brings more, and a begun part that turns out
    to be damaged is dropped once.
    """
    partial, dropped = blob.with_name(f"{blob.name}.incomplete"), False
    while True:
        start = partial.stat().st_size if partial.exists() else 0
        _append(url, partial, size)
        if partial.stat().st_size < size:
            continue
        if sum_of(partial) == blob.name:
            partial.replace(blob)
            return True
        partial.unlink()
        if not start or dropped:
            return False
        dropped = True


def _append(url: str, partial: Path, size: int) -> None:
    """Add to ``partial`` what it lacks; raise the library's error only if nothing was added."""
    start = partial.stat().st_size if partial.exists() else 0
    if start > size:
        start = 0
    if shutil.disk_usage(partial.parent).free < size - start:
        full = OSError(errno.ENOSPC, "No space left on device")
        raise DiskError(space_error(Path(constants.HF_HUB_CACHE), size - start, full))
    _Progress.bars.clear()
    try:
        with partial.open("ab") as file:
            file.truncate(start)
            http_get(
                url,
                file,
                resume_size=start,
                headers=build_hf_headers(),
                expected_size=size,
                tqdm_class=ReportingBar,
            )
    except Exception as error:
        full = isinstance(error, OSError) and error.errno in _DISK
        if full or partial.stat().st_size <= start:
            raise


def _hub() -> str:
    public = "https://huggingface.co"
    named = "" if public == constants.ENDPOINT else f" at {host_of(constants.ENDPOINT)}"
    return f"the Hugging Face hub{named}"


def _sentence(error: Exception, name: str) -> str:
    hub = _hub()
    if isinstance(error, DiskError):
        return str(error)
    if isinstance(error, OSError) and (error.errno in _DISK or error.filename):
        return space_error(Path(error.filename or constants.HF_HUB_CACHE), None, error)
    if isinstance(error, OfflineModeIsEnabled):
        return f"HF_HUB_OFFLINE is set, and {name} is not in the cache: unset it to download"
    if isinstance(error, HFValidationError):
        return f"{name} is no name of a model: it must be NAME or OWNER/NAME"
    if isinstance(error, GatedRepoError):
        return f"{name} is gated: accept its terms on its page, and set HF_TOKEN"
    if isinstance(error, RepositoryNotFoundError) or status_of(error) == 404:
        return f"{hub} has no model {name}, or it is private: check the name, or set HF_TOKEN"
    if status_of(error) in (401, 403):
        return f"{hub} refuses access to {name}: set HF_TOKEN to a token that may read it"
    return sentence_of(error, constants.ENDPOINT, hub)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
