"""Guards pretraining as a user runs it: an encoder that all else takes, whole or not at all."""

import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest
from mlflow.entities import Run
from mlflow.tracking import MlflowClient
from tokenizers import Tokenizer

from tests.end_to_end.running import HANG, Call, command, store_in
from tuning.pretrain import main
from tuning.system.project import ROOT

pytestmark = pytest.mark.slow

RECIPE = """name: tiny
vocabulary: 80
shape: {layers: 2, width: 16, heads: 2, inner_width: 24, positions: 40}
sequence_length: 16
corpus: {steps: 60, batch_size: 8}
adaptation: {steps: 20, batch_size: 8}
"""
SENTENCE = "a hash table maps keys to values and sorting puts them in order of their size"
WORDS = SENTENCE.split()


def text_of(count: int) -> str:
    draw = np.random.default_rng(0)
    return "".join(" ".join(draw.choice(WORDS, 15)) + "\n" for _ in range(count))


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    """Return a folder with a recipe and text."""
    (tmp_path / "tiny.yaml").write_text(RECIPE, encoding="utf-8")
    (tmp_path / "text.txt").write_text(text_of(400), encoding="utf-8")
    return tmp_path


def words_for(folder: Path, name: str, *more: str) -> list[str]:
    return command(
        "pretrain.py",
        *("--config", str(folder / "tiny.yaml"), "--corpus", str(folder / "text.txt")),
        *("--output", str(folder / name), "--tracking-uri", store_in(folder), *more),
    )


@pytest.fixture
def refused(call: Call) -> Callable[..., str]:
    """Return how to have the command refuse, and get what it says."""

    def run(folder: Path, name: str, *more: str) -> str:
        ended = call(main, words_for(folder, name, *more))
        assert ended.returncode == 2
        return ended.stderr

    return run


def runs_of(folder: Path) -> list[Run]:
    client = MlflowClient(tracking_uri=store_in(folder))
    experiment = client.get_experiment_by_name("pretraining")
    assert experiment is not None
    return list(client.search_runs([experiment.experiment_id]))


def left_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {"mlartifacts", "tiny.yaml", "text.txt"}


def test_an_encoder_is_made_that_everything_else_takes(
    inputs: Path, refused: Callable[..., str]
) -> None:
    from transformers import AutoModel, AutoTokenizer

    from models.encoder import load_encoder

    words = words_for(inputs, "made", "--adapt", str(ROOT / "embedded/pairs"))
    ended = subprocess.run(words, capture_output=True, text=True, check=False, timeout=HANG)
    assert ended.returncode == 0, ended.stderr
    made = inputs / "made"
    names = {path.name for path in made.iterdir()}
    files = {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"}
    assert names == files | {"CARD.md", "heldout_loss.svg"}
    assert not (inputs / "made.under-way").exists()
    lower, upper = load_encoder(made, 1)
    assert (len(lower.layers), len(upper.layers)) == (1, 1)
    model, tokenizer = AutoModel.from_pretrained(made), AutoTokenizer.from_pretrained(made)
    ids = tokenizer("a hash table", "a map", return_tensors="pt")["input_ids"]
    assert model(ids).last_hidden_state.shape == (1, ids.shape[1], 16)
    (run,) = runs_of(inputs)
    _check_log(run)
    more = Tokenizer.from_file(str(made / "tokenizer.json"))
    more.add_tokens(["quicksort"])
    shutil.copytree(made, inputs / "grown")
    more.save(str(inputs / "grown" / "tokenizer.json"))
    said = refused(inputs, "further", "--init", str(inputs / "grown"))
    assert "has 81 word pieces, and the encoder embeds 80" in said
    assert not (inputs / "further.under-way").exists()
    card = (made / "CARD.md").read_text(encoding="utf-8")
    assert "80 steps" in card
    assert "1,400 training pairs" in card
    assert str(inputs) not in card


def _check_log(run: Run) -> None:
    assert run.info.status == "FINISHED"
    assert run.data.params["corpus.steps"] == "60"
    assert run.data.tags["kind"] == "pretraining"
    assert {"heldout_loss", "heldout_accuracy", "step/heldout_loss"} <= run.data.metrics.keys()
    assert run.data.metrics["steps"] == 80


def kill_when_there_is(file: str, folder: Path, name: str) -> None:
    process = subprocess.Popen(
        words_for(folder, name, "--set", "corpus.steps=400"), stdout=subprocess.DEVNULL
    )
    path, ends = folder / f"{name}.under-way" / file, time.monotonic() + HANG
    while not path.exists():
        assert process.poll() is None
        assert time.monotonic() < ends
        time.sleep(0.02)
    psutil.Process(process.pid).send_signal(signal.SIGKILL)
    process.wait()


def test_a_killed_training_resumes_to_the_equal_encoder(
    inputs: Path, call: Call, refused: Callable[..., str]
) -> None:
    more = ("--set", "corpus.steps=400")
    kill_when_there_is("state", inputs, "killed")
    assert not (inputs / "killed").exists()  # nothing half-written
    said = refused(inputs, "killed", *more)
    assert "has an interrupted training; --resume continues it" in said
    said = refused(inputs, "killed", "--set", "corpus.steps=300", "--resume")
    assert "recipe.corpus.steps was 400, is now 300" in said
    resumed = call(main, words_for(inputs, "killed", *more, "--resume"))
    assert resumed.returncode == 0, resumed.stderr
    kill_when_there_is("state", inputs, "whole")
    whole = call(main, words_for(inputs, "whole", *more, "--overwrite"))
    assert whole.returncode == 0, whole.stderr
    assert sorted(run.info.status for run in runs_of(inputs)) == ["FINISHED", "FINISHED", "KILLED"]
    for file in ("model.safetensors", "tokenizer.json"):
        assert (inputs / "killed" / file).read_bytes() == (inputs / "whole" / file).read_bytes()
    assert left_in(inputs) >= {"killed", "whole"}


def test_one_killed_before_it_trained_goes_on_as_what_it_was_and_as_nothing_else(
    inputs: Path, call: Call, refused: Callable[..., str]
) -> None:
    kill_when_there_is("journal.jsonl", inputs, "early")
    work = inputs / "early.under-way"
    assert not (work / "state").exists()
    before = {path: path.read_bytes() for path in work.rglob("*") if path.is_file()}
    for change in ("vocabulary=81", "corpus.steps=401"):
        said = refused(inputs, "early", "--set", change, "--resume")
        assert f"recipe.{change.split('=')[0]} was" in said
    assert {path: path.read_bytes() for path in work.rglob("*") if path.is_file()} == before
    words = words_for(inputs, "early", "--set", "corpus.steps=400", "--resume")
    resumed = call(main, words)
    assert resumed.returncode == 0, resumed.stderr


BAD = {
    "empty": ("", (), "must have text, one paragraph per line, got none"),
    "binary": ("a\0b\n", (), "must be text, got a zero byte"),
    "vocabulary": (text_of(400), ("--set", "vocabulary=5000"), "the text has no more"),
    "short": (text_of(400), ("--set", "corpus.batch_size=5000"), "must fill 5000 sequences"),
    "no text": (text_of(1), (), "the text has no more"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_sentence_and_leaves_nothing(
    name: str, inputs: Path, refused: Callable[..., str]
) -> None:
    text, more, rule = BAD[name]
    (inputs / "text.txt").write_text(text, encoding="utf-8")
    said = refused(inputs, "made", *more)
    assert rule in said
    assert said.startswith("pretrain.py: error: ")
    assert said.count("\n") == 1
    assert not left_in(inputs)


def test_a_store_of_no_use_is_told_and_leaves_nothing(
    inputs: Path, refused: Callable[..., str]
) -> None:
    said = refused(inputs, "made", "--tracking-uri", "nonsense://x")
    assert "the MLflow store cannot be used" in said
    assert not left_in(inputs)


def test_an_output_in_use_or_another_architecture_is_refused(
    inputs: Path, bert: Path, refused: Callable[..., str]
) -> None:
    (inputs / "made").mkdir()
    (inputs / "made" / "mine.txt").write_text("keep", encoding="utf-8")
    said = refused(inputs, "made")
    assert "made is in use; name another folder, or remove it" in said
    shutil.rmtree(inputs / "made")
    said = refused(inputs, "made", "--init", str(bert))
    assert "--init must be a distilbert, the one architecture that is trained, got a bert" in said
    assert not left_in(inputs)
