"""Sources of data sets and encoders: from the names that users give to folders on disk."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path

from rich.console import Console

from measures.addresses import AddressError, user_path
from tuning.data import parade
from tuning.download import packaged_encoder
from tuning.download.download import download_files
from tuning.download.download_causes import DownloadError
from tuning.download.hub_download import download_encoder, find_cached_encoder
from tuning.download.packaged_encoder import PackageError, find_packaged_encoder
from tuning.system.project import EMBEDDED

DEFAULT_ENCODER = "distilbert-base-uncased"
# No encoder on the hub has a name that is nearly one of these.
_SHIPPED = ("auto", "embedded", packaged_encoder.NAME)
_AUTO_SECONDS = 10.0  # wait without a byte of what auto prefers, before the next in line is used
_NAMED_SECONDS = 60.0  # wait without a byte of what was asked for by name


class SourceError(ValueError):
    """A data set or encoder that is unavailable; the message has the reason and the way out.

    Attributes:
        detail: What the libraries reported about a download, or None.
    """

    def __init__(self, message: str, detail: str | None = None) -> None:
        super().__init__(message)
        self.detail = detail


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """A data set or an encoder on this machine.

    Args:
        name: Name under which it is logged.
        folder: Folder of its files.
        revision: Commit of a published data set or encoder, or None.
        notice: Sentence on why another stands in for what ``auto`` prefers, or None.
        detail: What the libraries reported about that, or None.
    """

    name: str
    folder: Path
    revision: str | None = None
    notice: str | None = None
    detail: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class DataLocations:
    """Locations of data sets, which the entry script reads once from the environment.

    Args:
        cache: Folder for downloaded data sets.
        parade_folder: Folder of PARADE's files, used before cache and network, or None.
        parade_url: Address of the folder that has PARADE's files.
    """

    cache: Path
    parade_folder: Path | None = None
    parade_url: str = parade.URL


def read_locations() -> DataLocations:
    """Return the locations of data sets, read from the environment.

    Raises:
        SourceError: If no folder for downloads is known.
    """
    try:
        named = os.environ.get("XDG_CACHE_HOME")
        cache = _user_folder("XDG_CACHE_HOME", named) if named else Path.home() / ".cache"
    except RuntimeError as error:
        raise SourceError(
            "cache: this user has no home folder; set XDG_CACHE_HOME to a folder for downloads"
        ) from error
    folder = os.environ.get("PARADE_DIR")
    return DataLocations(
        cache=cache / "paraphrase-tuner",
        parade_folder=_user_folder("PARADE_DIR", folder) if folder else None,
        parade_url=os.environ.get("PARADE_URL", parade.URL),
    )


def _user_folder(name: str, requested: str) -> Path:
    """Return a folder as the user wrote it.

    Raises:
        SourceError: If the text is empty, or begins with a home folder that does not exist.
    """
    try:
        return user_path(requested)
    except AddressError as error:
        raise SourceError(f"{name}: {error}") from error


def find_data(
    requested: str,
    locations: DataLocations,
    *,
    strict: bool = False,
    console: Console | None = None,
) -> Source:
    """Return the folder of a data set: ``auto``, ``parade``, ``embedded`` or a folder.

    ``auto`` is PARADE if its host keeps sending with no pause of more than 10 seconds, else the
    embedded pairs with a notice.

    Args:
        requested: Name of the data set.
        locations: Folders and address to look in.
        strict: Whether ``auto`` is an error if PARADE is unavailable.
        console: Console for the progress of a download; None shows nothing.

    Raises:
        SourceError: If there is no such folder, or PARADE is unavailable.
    """
    if requested == "embedded":
        return Source(name="embedded", folder=EMBEDDED / "pairs")
    if requested not in ("auto", "parade"):
        way_out = "; give a folder, parade, embedded or auto"
        return _name_folder(_require_folder(_user_folder("data", requested), "data", way_out))
    if locations.parade_folder is None:
        return _find_parade(requested, locations, strict, console)
    return _name_folder(_require_folder(locations.parade_folder, "PARADE_DIR", ""))


def _require_folder(path: Path, name: str, way_out: str) -> Path:
    """Return an existing folder as an absolute path; raise a SourceError if it is none."""
    if path.is_file():
        raise SourceError(
            f"{name}: {path}: is a file; give the folder that holds it, with files for train, "
            "validation and test; python -m tuning.data.split parts a single file into them"
        )
    if not path.is_dir():
        raise SourceError(f"{name}: {path}: no such folder{way_out}")
    return path.resolve()


def _find_parade(
    requested: str, locations: DataLocations, strict: bool, console: Console | None
) -> Source:
    seconds = _AUTO_SECONDS if requested == "auto" else _NAMED_SECONDS
    folder = locations.cache / "parade" / parade.COMMIT
    try:
        if parade.find_altered(folder):
            download_files(locations.parade_url, parade.SHA256, folder, seconds, console)
    except OSError as error:
        detail = getattr(error, "detail", None)
        if requested == "auto" and not strict:
            notice = f"PARADE is unavailable: {error}; the embedded pairs stand in for it"
            return Source(name="embedded", folder=EMBEDDED / "pairs", notice=notice, detail=detail)
        raise SourceError(
            f"data: PARADE is unavailable: {error}; with its three files in a folder, "
            "name it (--data FOLDER; --adapt FOLDER of pretrain.py) or set PARADE_DIR",
            detail,
        ) from error
    return Source(name="parade", folder=folder, revision=parade.COMMIT)


def _name_folder(folder: Path) -> Source:
    if parade.is_parade(folder):
        return Source(name="parade", folder=folder, revision=parade.COMMIT)
    return Source(name=folder.name, folder=folder)


def find_encoder(
    requested: str, *, strict: bool = False, console: Console | None = None
) -> Source:
    """Return the folder of an encoder: ``auto``, ``minilm``, ``embedded``, a folder, a hub name.

    ``auto`` is DistilBERT if it is in the cache, or if the hub keeps sending with no pause of
    more than 10 seconds; else ``minilm`` if its package is installed, else the embedded encoder,
    both with a notice.

    Args:
        requested: Name of the encoder.
        strict: Whether ``auto`` is an error if DistilBERT is unavailable.
        console: Console for the progress of a download; None shows nothing.

    Raises:
        SourceError: If there is no such folder, or the encoder is unavailable.
    """
    if requested == "embedded":
        return Source(name="embedded", folder=EMBEDDED / "encoder")
    if requested == packaged_encoder.NAME:
        try:
            return _name_packaged()
        except PackageError as error:
            raise SourceError(f"encoder: {requested}: {error}") from error
    folder = _user_folder("encoder", requested)
    if requested != "auto" and folder.is_dir():
        return Source(name=folder.resolve().name, folder=folder.resolve())
    known = () if requested == "auto" else _SHIPPED
    near = get_close_matches(requested, known, n=1, cutoff=0.75)
    if near or requested.count("/") > 1 or requested.startswith((".", "/", "~")):
        listed = "give a folder, minilm, embedded, auto or a hub name"
        hint = f"did you mean {near[0]}?" if near else listed
        raise SourceError(f"encoder: {requested}: no such folder; {hint}")
    name = DEFAULT_ENCODER if requested == "auto" else requested
    seconds = _AUTO_SECONDS if requested == "auto" else _NAMED_SECONDS
    try:
        folder = find_cached_encoder(name) or download_encoder(name, seconds, console)
    except DownloadError as error:
        if requested == "auto" and not strict:
            return _stand_in(f"{name} is unavailable: {error}", error.detail)
        raise SourceError(
            f"encoder: {name} is unavailable: {error}; with its files in a folder, give its path",
            error.detail,
        ) from error
    return Source(name=name, folder=folder, revision=folder.name)


def _stand_in(reason: str, detail: str | None) -> Source:
    """Return the next encoder in line, with a notice that begins with ``reason``."""
    try:
        notice = f"{reason}; minilm ({packaged_encoder.MODEL}) stands in for it"
        return replace(_name_packaged(), notice=notice, detail=detail)
    except PackageError as error:
        notice = f"{reason}, and so is minilm ({error}); the embedded encoder stands in for it"
        folder = EMBEDDED / "encoder"
        return Source(name="embedded", folder=folder, notice=notice, detail=detail)


def _name_packaged() -> Source:
    """Return the encoder of the package; raise a PackageError if it is unavailable."""
    folder = find_packaged_encoder()
    revision = f"{packaged_encoder.PACKAGE} {packaged_encoder.VERSION}"
    return Source(name=packaged_encoder.NAME, folder=folder, revision=revision)


def shipped_encoders() -> list[Path]:
    """Return the folders of the encoders that come with this program, of those that are whole."""
    try:
        return [EMBEDDED / "encoder", find_packaged_encoder()]
    except PackageError:
        return [EMBEDDED / "encoder"]
