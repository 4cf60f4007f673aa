"""The pairs as the trials saw them, one Parquet file in the log: the report needs nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow
from pyarrow import parquet
from tokenizers import Tokenizer

from models.cleaning import STEPS, changes
from models.tokens import load_tokenizer
from tuning.config.experiment import Cleaning
from tuning.data.pairs import PairTable, read_pairs
from tuning.data.prepared import Prepared
from tuning.system.atomic_files import atomic_write

RAW = Cleaning.model_validate(dict.fromkeys(STEPS, False))


def write_pairs(path: Path, prepared: Prepared) -> None:
    """Write a row a pair: split, line, label, votes, group, and for each definition its text as
    read (``raw_``), as cleaned, the cleaning steps that changed it, and its word pieces.

    Word pieces, and the names of steps, stand in one text with spaces between them.
    """
    raw = read_pairs(prepared.data_source.folder, RAW).splits
    tokenizer, _ = load_tokenizer(prepared.encoder.folder)
    tables = [_split_table(prepared, split, table, tokenizer) for split, table in raw.items()]
    table = pyarrow.concat_tables(tables)
    with atomic_write(path, table.nbytes) as beside:
        parquet.write_table(table, beside, compression="zstd")


def _split_table(
    prepared: Prepared, split: str, raw: PairTable, tokenizer: Tokenizer
) -> pyarrow.Table:
    pairs = prepared.pairs.splits[split]
    steps = prepared.experiment.cleaning.model_dump()
    columns: dict[str, Any] = {
        "split": [split] * len(pairs.lines),
        "line": pairs.lines,
        "group": pairs.groups,
        "label": pairs.labels,
        "votes": pairs.votes,
    }
    for side in ("first", "second"):
        texts, cleaned = getattr(raw, side), getattr(pairs, side)
        encoded = tokenizer.encode_batch(cleaned, add_special_tokens=False)
        columns |= {
            side: cleaned,
            f"raw_{side}": texts,
            f"{side}_cleaned_by": [" ".join(changes(text, steps)) for text in texts],
            f"{side}_pieces": [" ".join(pieces.tokens) for pieces in encoded],
        }
    return pyarrow.table(columns)
