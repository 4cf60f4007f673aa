"""Guards every file that a user or a disk can spoil: a result, or an error of ours, and no other.

``FAULT_EXAMPLES`` sets how many files of each kind are tried; the long form has 2,000.
"""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.checkpoint import CARD, WEIGHTS, CheckpointError, load_classifier, save_classifier
from models.classifier import Classifier
from models.encoder import load_encoder
from models.encoder_files import CONFIG, TOKENIZER, EncoderError, read_encoder_info
from models.heads import build_head
from models.state_files import create, seal
from models.table_files import DataError
from models.tokens import load_tokenizer
from tuning.config.experiment import Cleaning, ConfigError
from tuning.config.loader import load_experiment
from tuning.data.pairs import read_pairs
from tuning.system.atomic_files import DamagedError, verify_checksums, write_checksums
from tuning.system.checkpoint_file import load_state, save_state
from tuning.system.project import ROOT
from tuning.system.storage_path import StoragePath
from tuning.tracking.journal import JOURNAL, Journal, JournalError
from tuning.training.activation_cache import load_states

EXAMPLES = int(os.environ.get("FAULT_EXAMPLES", "40"))
PAIRS = b"first\tsecond\tlabel\nabc w1\tw2 \xc3\xa9\t1\nx\ty\t0\n"
many = settings(
    max_examples=EXAMPLES,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
EDIT = st.tuples(
    st.floats(0, 1), st.sampled_from(["change", "cut", "insert", "repeat"]), st.binary(max_size=4)
)
SPOILED = st.one_of(st.binary(max_size=200).map(lambda b: [b]), st.lists(EDIT, max_size=6))


def spoil(content: bytes, how: list[Any]) -> bytes:
    """Return other bytes: those that are given, or the content after some edits."""
    for edit in how:
        if isinstance(edit, bytes):
            return edit
        place, kind, text = edit
        at = int(place * len(content))
        after = {
            "change": text + content[at + len(text) :],
            "cut": content[at + 8 * len(text) :],
            "insert": text + content[at:],
            "repeat": content[max(at - 40, 0) :],
        }
        content = content[:at] + after[kind]
    return content


def try_with(path: Path, content: bytes, how: list[Any], read: Callable[[], object]) -> None:
    """Read a spoiled file; only an error of ours may come of it, and it names something."""
    path.write_bytes(spoil(content, how))
    try:
        read()
    except (
        CheckpointError, ConfigError, DamagedError, DataError, EncoderError, JournalError
    ) as error:  # fmt: skip
        assert str(error)
    finally:
        path.write_bytes(content)


@many
@given(how=SPOILED, name=st.sampled_from(["grid", "bonus_f1", "freezing", "smoke_search"]))
def test_experiments(tmp_path: Path, how: list[Any], name: str) -> None:
    content = (ROOT / f"experiments/{name}.yaml").read_bytes()
    path = tmp_path / "x.yaml"
    try_with(path, content, how, lambda: load_experiment(path))


@many
@given(how=SPOILED, split=st.sampled_from(["train.tsv", "test.csv", "columns.yaml"]))
def test_data(tmp_path: Path, how: list[Any], split: str) -> None:
    contents = {
        "train.tsv": PAIRS,
        "validation.tsv": PAIRS,
        "test.csv": PAIRS.replace(b"\t", b","),
        "columns.yaml": b"first: first\nsecond: second\nlabel: label\n",
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    try_with(tmp_path / split, contents[split], how, lambda: read_pairs(tmp_path, Cleaning()))


@many
@given(how=SPOILED)
def test_parquet_data(tmp_path: Path, how: list[Any]) -> None:
    import pandas as pd

    frame = pd.DataFrame({"first": ["a", "b"], "second": ["c", "d"], "label": [0, 1]})
    for split in ("train", "validation", "test"):
        frame.to_parquet(tmp_path / f"{split}.parquet")
    path = tmp_path / "train.parquet"
    try_with(path, path.read_bytes(), how, lambda: read_pairs(tmp_path, Cleaning()))


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory, distilbert: Path) -> Path:
    return Path(shutil.copytree(distilbert, tmp_path_factory.mktemp("any") / "encoder"))


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory, encoder: Path) -> Path:
    _, upper = load_encoder(encoder, 3)
    head = {"name": "mean_pooling", "width": 12, "head_width": 8}
    card = {
        "encoder": {"fingerprint": read_encoder_info(encoder).fingerprint, "depth": 3},
        "head": head,
        "precision": "float32",
    }
    folder = tmp_path_factory.mktemp("any") / "classifier"
    save_classifier(folder, Classifier(None, upper, build_head(**head)), card)
    return folder


@many
@given(how=SPOILED, name=st.sampled_from([CARD, WEIGHTS]))
def test_saved_classifiers(classifier: Path, encoder: Path, how: list[Any], name: str) -> None:
    path = classifier / name
    try_with(path, path.read_bytes(), how, lambda: load_classifier(classifier, encoder))


@many
@given(how=SPOILED, name=st.sampled_from([CONFIG, TOKENIZER]))
def test_encoders(encoder: Path, how: list[Any], name: str) -> None:
    def read() -> None:
        read_encoder_info(encoder)
        load_tokenizer(encoder)

    try_with(encoder / name, (encoder / name).read_bytes(), how, read)


@many
@given(how=SPOILED)
def test_states_of_trials(tmp_path: Path, how: list[Any]) -> None:
    path = tmp_path / "x"
    place = StoragePath(str(path))
    save_state(place, {"weights": torch.ones(3)}, [{"epoch": 1}])
    try_with(path, path.read_bytes(), how, lambda: load_state(place))


@many
@given(how=SPOILED)
def test_journals(tmp_path: Path, how: list[Any]) -> None:
    path = tmp_path / JOURNAL
    path.unlink(missing_ok=True)
    journal = Journal(tmp_path)
    for number in range(3):
        journal.append({"do": "x", "value": number})
    try_with(path, path.read_bytes(), how, lambda: Journal(tmp_path))


@many
@given(how=SPOILED, name=st.sampled_from(["result.json", "sha256.json"]))
def test_sealed_folders(tmp_path: Path, how: list[Any], name: str) -> None:
    (tmp_path / "result.json").write_text('{"val_f1": 0.5}')
    write_checksums(tmp_path)
    path = tmp_path / name
    try_with(path, path.read_bytes(), how, lambda: verify_checksums(tmp_path))


@pytest.mark.filterwarnings("default")
@many
@given(how=SPOILED)
def test_cached_activations(tmp_path: Path, how: list[Any]) -> None:
    path = tmp_path / "x.safetensors"
    create(path, {"train": 2}, 3, np.dtype(np.float32))["train"][:] = 1
    seal(path)
    content = path.read_bytes()
    path.write_bytes(spoil(content, how))
    found = load_states(path)
    assert found is None or np.asarray(found["train"]).tolist() == [[1.0] * 3] * 2
