"""From the names that users give to folders on this machine: data sets and encoders."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from tuning.data import parade
from tuning.data.download import (
    DownloadError,
    download_encoder,
    download_files,
    find_cached_encoder,
)
from tuning.system.project import EMBEDDED

DEFAULT_ENCODER = "distilbert-base-uncased"
_AUTO_SECONDS = 10.0  # the real thing is waited for this long before the embedded default steps in
_NAMED_SECONDS = 60.0  # what was asked for by name is waited for longer


class SourceError(ValueError):
    """A name from which nothing could be had; the message says what was tried."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """Where something asked for by name was found.

    ``revision`` is the commit of a published thing; ``notice`` says why the embedded default
    stands in for it, and is None in every other case.
    """

    name: str
    folder: Path
    revision: str | None = None
    notice: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class DataLocations:
    """Where to look: the environment's part of the answer, read once by the entry script."""

    cache: Path
    parade_folder: Path | None = None
    parade_url: str = parade.URL


def find_data(requested: str, locations: DataLocations, *, strict: bool = False) -> Source:
    """Return the folder of a data set: ``auto``, ``parade``, ``embedded`` or a folder.

    ``auto`` is PARADE if it can be had within 10 seconds, else the embedded pairs with a notice;
    ``strict`` refuses the latter.

    Raises:
        SourceError: If there is no such data set, or the real one cannot be had.
    """
    if requested == "embedded":
        return Source(name="embedded", folder=EMBEDDED / "pairs")
    if requested not in ("auto", "parade"):
        if not Path(requested).is_dir():
            raise SourceError(f"data: {requested}: no such folder; or name parade, embedded, auto")
        return _name_folder(Path(requested).resolve())
    if locations.parade_folder is None:
        return _find_parade(requested, locations, strict=strict)
    if not locations.parade_folder.is_dir():
        raise SourceError(f"PARADE_DIR: {locations.parade_folder}: no such folder")
    return _name_folder(locations.parade_folder.resolve())


def _find_parade(requested: str, locations: DataLocations, *, strict: bool) -> Source:
    seconds = _AUTO_SECONDS if requested == "auto" else _NAMED_SECONDS
    folder = locations.cache / "parade" / parade.COMMIT
    try:
        if parade.find_altered(folder):
            download_files(locations.parade_url, parade.SHA256, folder, seconds)
    except OSError as error:
        if requested == "auto" and not strict:
            notice = f"PARADE cannot be had ({error}); the embedded pairs stand in for it"
            return Source(name="embedded", folder=EMBEDDED / "pairs", notice=notice)
        raise SourceError(
            f"data: PARADE cannot be had: {error}; with its three files in a folder, "
            "use --data FOLDER or set PARADE_DIR"
        ) from error
    return Source(name="parade", folder=folder, revision=parade.COMMIT)


def _name_folder(folder: Path) -> Source:
    if parade.is_parade(folder):
        return Source(name="parade", folder=folder, revision=parade.COMMIT)
    return Source(name=folder.name, folder=folder)


def find_encoder(requested: str, *, strict: bool = False) -> Source:
    """Return the folder of an encoder: ``auto``, ``embedded``, a folder or a hub name.

    ``auto`` is DistilBERT if it can be had within 10 seconds of waiting, else the embedded
    encoder with a notice; ``strict`` refuses the latter.

    Raises:
        SourceError: If there is no such encoder, or it cannot be had.
    """
    if requested == "embedded":
        return Source(name="embedded", folder=EMBEDDED / "encoder")
    if Path(requested).is_dir():
        return Source(name=Path(requested).resolve().name, folder=Path(requested).resolve())
    name = DEFAULT_ENCODER if requested == "auto" else requested
    if requested.count("/") > 1 or requested.startswith((".", "/", "~")):
        raise SourceError(f"encoder: {requested}: no such folder; or name embedded, auto, a hub's")
    seconds = _AUTO_SECONDS if requested == "auto" else _NAMED_SECONDS
    try:
        folder = find_cached_encoder(name) or download_encoder(name, seconds)
    except DownloadError as error:
        if requested == "auto" and not strict:
            notice = f"{name} cannot be had ({error}); the embedded encoder stands in for it"
            return Source(name="embedded", folder=EMBEDDED / "encoder", notice=notice)
        raise SourceError(
            f"encoder: {error}; with its files in a folder, use --encoder FOLDER"
        ) from error
    return Source(name=name, folder=folder, revision=folder.name)


def read_locations() -> DataLocations:
    """Return where to look for data, as the environment says."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = os.environ.get("PARADE_DIR")
    return DataLocations(
        cache=cache / "paraphrase-tuner",
        parade_folder=Path(folder) if folder else None,
        parade_url=os.environ.get("PARADE_URL", parade.URL),
    )
