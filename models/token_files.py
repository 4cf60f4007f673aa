"""Token tables as bytes of a file, with a checksum: what was damaged reads as nothing."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping

import numpy as np

from models.tokens import TokenTable

_ARRAYS = ("tokens", "segments", "offsets")
_DIGEST = hashlib.sha256().digest_size


def pack_tables(tables: Mapping[str, TokenTable], numbers: Mapping[str, int]) -> bytes:
    """Return tables by name, and numbers that belong to them, as the bytes of a file."""
    arrays: dict[str, np.ndarray] = {"tables": np.array(list(tables))}
    for name, table in tables.items():
        fields = {field: getattr(table, field) for field in (*_ARRAYS, "members", "pairs")}
        arrays |= {f"{name}.{field}": each for field, each in fields.items() if each is not None}
    arrays |= {f"number.{name}": np.array(number) for name, number in numbers.items()}
    content = io.BytesIO(bytes(_DIGEST))
    content.seek(_DIGEST)
    np.savez(content, allow_pickle=False, **arrays)
    with content.getbuffer() as view:
        view[:_DIGEST] = hashlib.sha256(view[_DIGEST:]).digest()
    return content.getvalue()


def unpack_tables(content: bytes) -> tuple[dict[str, TokenTable], dict[str, int]] | None:
    """Return what ``pack_tables`` was given; None if the bytes are not all of what it returned."""
    digest, body = content[:_DIGEST], content[_DIGEST:]
    if hashlib.sha256(body).digest() != digest:
        return None
    with np.load(io.BytesIO(body), allow_pickle=False) as arrays:
        tables = {str(name): _table(arrays, str(name)) for name in arrays["tables"]}
        names = [name for name in arrays if name.startswith("number.")]
        return tables, {name.removeprefix("number."): int(arrays[name]) for name in names}


def _table(arrays: Mapping[str, np.ndarray], name: str) -> TokenTable:
    needed = {field: arrays[f"{name}.{field}"] for field in _ARRAYS}
    pairs, members = int(arrays[f"{name}.pairs"]), arrays.get(f"{name}.members")
    return TokenTable(pairs=pairs, members=members, **needed)
