"""A snapshot of the data set as the trials saw it, in one Parquet file for log and report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow
from pyarrow import parquet
from tokenizers import Tokenizer

from models.cleaning import STEPS, changes
from models.tokens import load_tokenizer
from models.word_pieces import read_pieces
from tuning.config.experiment import Cleaning
from tuning.data.pairs import PairTable, read_pairs
from tuning.data.prepared import Prepared
from tuning.system.atomic_files import atomic_write

RAW = Cleaning.model_validate(dict.fromkeys(STEPS, False))


def write_pairs(path: Path, prepared: Prepared) -> None:
    """Write the pairs of all splits to a Parquet file, a row for each pair.

    Its columns are ``split``, ``line``, ``group``, ``label``, ``votes``, ``voters`` (0 if
    votes are unknown), ``special_tokens`` and ``special_tokens_of_text`` (their
    number in a pair and in a text alone), and for each text of a pair
    (``first`` and ``second``):

    - ``first``: the text after cleaning;
    - ``raw_first``: the text as it was read;
    - ``first_cleaned_by``: names of the cleaning steps that changed it, with spaces between them;
    - ``first_pieces``: its word pieces as a reader sees them, with spaces between them.

    Args:
        path: Parquet file to write.
        prepared: Experiment with its data and encoder.

    Raises:
        DataError: If the data set was changed since it was prepared, and is broken.
        DiskError: If the disk is full or not writable.
    """
    raw = read_pairs(prepared.data_source.folder, RAW)
    tokenizer, special = load_tokenizer(prepared.encoder.folder)
    tables = [
        _split_table(prepared, split, table, tokenizer) for split, table in raw.splits.items()
    ]
    table = pyarrow.concat_tables(tables)
    special_tokens = {"special_tokens": special.of_pair, "special_tokens_of_text": special.of_text}
    for name, count in special_tokens.items():
        table = table.append_column(name, pyarrow.array([count] * len(table), pyarrow.int8()))
    voters = pyarrow.array([raw.voters] * len(table), type=pyarrow.int32())
    table = table.append_column("voters", voters)
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
        columns |= {
            side: cleaned,
            f"raw_{side}": texts,
            f"{side}_cleaned_by": [" ".join(changes(text, steps)) for text in texts],
            f"{side}_pieces": [" ".join(pieces) for pieces in read_pieces(tokenizer, cleaned)],
        }
    return pyarrow.table(columns)


def describe_data(prepared: Prepared) -> dict[str, str]:
    """Return the data set as a log has it, with the names that MLflow has for its fields."""
    texts = ("first", "second")
    columns = [{"name": name, "type": "string"} for name in texts] + [
        {"name": "label", "type": "long"}
    ]
    rows = {split: len(table.labels) for split, table in prepared.pairs.splits.items()}
    return {
        "name": prepared.data_source.name,
        "digest": prepared.pairs.fingerprint,
        "source_type": "local",
        "source": json.dumps({"uri": str(prepared.data_source.folder)}),
        "schema": json.dumps({"mlflow_colspec": columns}),
        "profile": json.dumps({"num_rows": sum(rows.values()), "pairs": rows}),
    }
