"""What ``auto`` finds on this machine, looked for in caches and packages, without the network."""

from __future__ import annotations

from pathlib import Path

from tuning.data import packaged_encoder, parade
from tuning.data.packaged_encoder import PackageError, find_packaged_encoder
from tuning.data.sources import (
    DEFAULT_ENCODER,
    DataLocations,
    SourceError,
    find_cached_encoder,
    find_data,
    find_encoder,
)
from tuning.system.findings import Finding


def check_encoder() -> Finding:
    """Return which encoder ``auto`` takes here, and why."""
    name = "encoder"
    if find_cached_encoder(DEFAULT_ENCODER) is not None:
        return Finding(name=name, text=f"auto is {DEFAULT_ENCODER}, from the hub's cache")
    first = f"auto asks the hub for {DEFAULT_ENCODER}, which the cache lacks; without it auto is"
    try:
        find_packaged_encoder()
    except PackageError as error:
        folder = find_encoder("embedded").folder
        return Finding(name=name, text=f"{first} embedded ({folder})", way_out=f"minilm: {error}")
    model = packaged_encoder.MODEL
    return Finding(name=name, text=f"{first} minilm ({model}), whose files are as published")


def check_data(locations: DataLocations) -> Finding:
    """Return which data set ``auto`` takes here, and why."""
    name = "data"
    if locations.parade_folder is not None:
        try:
            found = find_data("auto", locations)
        except SourceError as error:
            way_out = "set PARADE_DIR to the folder of PARADE's files, or unset it"
            return Finding(name=name, text=str(error), way_out=way_out, stops=True)
        return Finding(name=name, text=f"auto is {found.name}, from PARADE_DIR ({found.folder})")
    folder = locations.cache / "parade" / parade.COMMIT
    if _is_whole(folder):
        return Finding(name=name, text=f"auto is parade, from the cache ({folder})")
    return Finding(
        name=name,
        text="auto downloads parade, which the cache lacks; without a network auto is embedded",
        way_out="with PARADE's three files in a folder: set PARADE_DIR, or use --data FOLDER",
    )


def _is_whole(folder: Path) -> bool:
    try:
        return parade.find_altered(folder) is None
    except OSError:
        return False
