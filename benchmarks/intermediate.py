"""Measure what intermediate tuning brings: python benchmarks/intermediate.py --data FOLDER.

A classifier of ``minilm`` learns the embedded pairs with its upper layers trained. Its encoder is
written as a folder of its own, from which a head is then trained on PARADE with all layers frozen,
as one is from ``minilm`` itself (Phang et al., 2018). Both launches score test; nothing is chosen.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from mlflow.tracking import MlflowClient

from benchmarks.export_launch import export, find_launch
from benchmarks.records import write_record
from measures.addresses import sqlite_url, user_path
from tuning.data import parade
from tuning.system.project import ROOT

ENCODER = "after-embedded"  # folder of the exported encoder, which names it in the record
TRAINED = ("--set", "optimizer=adamw", "--set", "learning_rate=0.001",
           "--set", "overlap_features=true")  # fmt: skip
FIRST = (*TRAINED, "--set", "freezing=some", "--set", "encoder_learning_rate=0.0001")
SECOND = (*TRAINED, "--set", "freezing=all", "--set", "seed=[0,1,2]", "--set", "epochs=4")


def run(*words: str) -> None:
    """Run a command of this project in its folder.

    Raises:
        subprocess.CalledProcessError: If its exit code is not 0.
    """
    subprocess.run([sys.executable, *words], cwd=ROOT, check=True)


def measure(data: Path, folder: Path) -> dict[str, object]:
    """Return the record of the three launches: ``commit``, ``command``, ``machine``, ``numbers``.

    Args:
        data: PARADE's folder.
        folder: Folder for launches, their log and the exported encoder.
    """
    store, encoder = sqlite_url(folder / "mlflow.db"), folder / ENCODER

    def launch(name: str, data: str, encoder: str, options: tuple[str, ...]) -> dict[str, object]:
        run("tuning/run_grid.py", "--data", data, "--encoder", encoder, "--set", f"name={name}",
            *options, "--output", str(folder / "results"), "--tracking-uri", store)  # fmt: skip
        client = MlflowClient(tracking_uri=store)
        return export(client, find_launch(client, name, None))

    first = launch("first", "embedded", "minilm", FIRST)
    [launched] = (folder / "results").glob("first-*")
    run("-m", "models.export_encoder", "--model", str(launched), "--output", str(encoder))
    plain = launch("plain", str(data), "minilm", SECOND)
    tuned = launch("tuned", str(data), str(encoder), SECOND)
    found = {"first": first, "plain": plain, "tuned": tuned}
    return {
        **plain,
        "command": "python benchmarks/intermediate.py --data FOLDER",
        "numbers": {name: launched["numbers"] for name, launched in found.items()},
    }


def main() -> int:
    """Return 0 when the record is written, 1 if a launch failed, which has said why."""
    parser = argparse.ArgumentParser(
        allow_abbrev=False, description="Measure what intermediate tuning brings."
    )
    parser.add_argument("--data", type=user_path, required=True,
                        help="folder with PARADE's three files")  # fmt: skip
    args = parser.parse_args()
    if altered := parade.find_altered(args.data):
        parser.error(f"--data: {altered}")
    with tempfile.TemporaryDirectory() as folder:
        try:
            record = measure(args.data.resolve(), Path(folder))
        except subprocess.CalledProcessError:
            return 1
    print(write_record("intermediate", record))
    return 0


if __name__ == "__main__":
    sys.exit(main())
