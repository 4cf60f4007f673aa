"""Writers of small tables in each of the formats that are read."""

import gzip
import json
from pathlib import Path

import pandas as pd
import pyarrow

HEADER = ["first", "second", "label"]
ROWS = [["a stack grows", "it grows", "1"], ["a queue waits", "lines up", "0"]]


def write_text(path: Path, text: str) -> Path:
    """Write a text in UTF-8, packed if the name says so, without changing its line ends."""
    content = text.encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def frame_of(rows: list[list[str]], header: list[str] | None = None) -> pd.DataFrame:
    """Return rows as a frame, with whole numbers as labels where they are such."""
    frame = pd.DataFrame(rows, columns=header or HEADER)
    if "label" in frame and frame["label"].isin(["0", "1"]).all():
        frame["label"] = frame["label"].astype(int)
    return frame


def write_saved(folder: Path, frame: pd.DataFrame, files: int = 1) -> Path:
    """Write a split as ``Dataset.save_to_disk`` of datasets does: Arrow streams and state."""
    folder.mkdir(parents=True)
    table = pyarrow.Table.from_pandas(frame, preserve_index=False)
    names = [f"data-{number:05}-of-{files:05}.arrow" for number in range(files)]
    size = -(-len(frame) // files)
    for number, name in enumerate(names):
        part = table.slice(number * size, size)
        with pyarrow.ipc.new_stream(folder / name, table.schema) as stream:
            stream.write_table(part)
    state = {"_data_files": [{"filename": name} for name in names], "_split": folder.name}
    (folder / "state.json").write_text(json.dumps(state))
    return folder


def write_table(path: Path, rows: list[list[str]], header: list[str] | None = None) -> Path:
    """Write rows in the format that the name asks for; without an ending as datasets saves it."""
    frame = frame_of(rows, header)
    name = path.name.lower().removesuffix(".gz")
    if name.endswith(".tsv"):
        lines = ["\t".join(row) for row in [list(frame.columns), *rows]]
        return write_text(path, "\n".join(lines) + "\n")
    if name.endswith(".csv"):
        return write_text(path, frame.to_csv(index=False))
    if name.endswith(".jsonl"):
        return write_text(path, frame.to_json(orient="records", lines=True))
    if name.endswith(".parquet"):
        frame.to_parquet(path)
        return path
    return write_saved(path, frame)
