"""Fixtures for all tests: tiny encoders with random weights, each in a folder."""

import gc
import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import settings
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

# No deadline, since a busy machine is slow; and the same commit has the same examples.
settings.register_profile("steady", deadline=None, derandomize=True, max_examples=60)
settings.load_profile("steady")

# Tests run two at a time, and more threads than cores slow each other down. OpenMP reads this
# when torch is imported, here and in the commands that tests start.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Word pieces and rates are kept in the folder of the caches: not in that of who runs the tests.
# The processes that share the tests get the environment of the one that starts them.
if "PYTEST_XDIST_WORKER" not in os.environ:
    _caches = TemporaryDirectory(prefix="caches-")  # removed when this process ends
    os.environ["XDG_CACHE_HOME"] = _caches.name


# What the tests import stays to the end: the garbage collector need not look through it while it
# is made, nor each time after.
gc.disable()


def pytest_collection_finish() -> None:
    """Collect garbage from here on, of what the tests themselves make."""
    gc.freeze()
    gc.enable()


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name bytes in a test's name by their argument: packed ones hold the time of their packing.

    The processes that share the tests each collect them, and stop when their names differ.
    """
    return argname if isinstance(val, bytes) else None


WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *(f"w{n}" for n in range(45))]
WIDTH, LAYERS = 12, 3


def make_encoder(folder: Path, architecture: str) -> Path:
    """Write an encoder of 3 layers and width 12 into ``folder``."""
    import torch
    from transformers import BertConfig, BertModel, DistilBertConfig, DistilBertModel

    torch.manual_seed(0)
    if architecture == "bert":
        bert = BertConfig(
            vocab_size=len(WORDS),
            hidden_size=WIDTH,
            num_hidden_layers=LAYERS,
            num_attention_heads=2,
            intermediate_size=20,
            max_position_embeddings=30,
        )
        BertModel(bert, add_pooling_layer=False).save_pretrained(folder)
    else:
        distilbert = DistilBertConfig(
            vocab_size=len(WORDS),
            dim=WIDTH,
            n_layers=LAYERS,
            n_heads=2,
            hidden_dim=20,
            max_position_embeddings=30,
        )
        DistilBertModel(distilbert).save_pretrained(folder)
    tokenizer = Tokenizer(WordLevel({word: n for n, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


@pytest.fixture
def in_turn() -> Iterator[None]:
    """Let the trials of launches take turns in one worker."""
    from tests.end_to_end.running import one_core

    with one_core():
        yield


@pytest.fixture(scope="module")
def shared_states(session_folder: Path) -> Iterator[None]:
    """Let quick launches find the states that one of them computed."""
    from tests.end_to_end import running

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(running, "STATES", session_folder / "states")
        yield


@pytest.fixture(scope="session")
def session_folder(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """Return the folder that all processes of these tests share."""
    place = tmp_path_factory.getbasetemp()
    return place if worker_id == "master" else place.parent


@pytest.fixture(scope="session")
def distilbert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a tiny DistilBERT."""
    return make_encoder(tmp_path_factory.mktemp("distilbert"), "distilbert")


@pytest.fixture(scope="session")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a tiny BERT."""
    return make_encoder(tmp_path_factory.mktemp("bert"), "bert")
