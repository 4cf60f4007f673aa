"""Files that a run's log has by reference: the tag that says where they are, and their copy."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from measures.object_stores import open_uri
from measures.passwords import first_line, hide_passwords

SAVED_AT = "saved_at"  # tag of a run: URI or path of the folder that it saved its files in


class ReferenceGoneError(OSError):
    """Files that a run has by reference and that cannot be read; the message has the way out."""


def fetch_referenced(tags: Mapping[str, str], run_id: str, name: str, folder: Path) -> Path | None:
    """Copy what a run has by reference into ``folder``; return the path of the copy.

    Args:
        tags: Tags of the run.
        run_id: MLflow's id of the run, for messages.
        name: Name of a file or folder that the run saved.
        folder: Folder for the copy.

    Returns:
        The copy; None if the run has no reference, or saved nothing of that name.

    Raises:
        ReferenceGoneError: If the place cannot be read, or is no longer there.
    """
    uri = tags.get(SAVED_AT)
    if uri is None:
        return None
    from pyarrow.fs import FileType, LocalFileSystem, copy_files

    try:
        system, saved = open_uri(uri)
        if system.get_file_info(saved).type != FileType.Directory:
            raise FileNotFoundError("there is no such folder")
        source, target = f"{saved.rstrip('/')}/{name}", folder / name
        kind = system.get_file_info(source).type
        if kind == FileType.NotFound:
            return None
        made = target if kind == FileType.Directory else target.parent
        made.mkdir(parents=True, exist_ok=True)
        copy_files(source, str(target), system, LocalFileSystem())
    except (OSError, ValueError, ImportError) as error:
        raise ReferenceGoneError(
            f"run {run_id}: what it saved is logged by reference, and {hide_passwords(uri)} "
            f"cannot be read: {first_line(error)}; give this machine access to it, move the files "
            f"back, or set the run's tag {SAVED_AT} to where they are now"
        ) from error
    return target
