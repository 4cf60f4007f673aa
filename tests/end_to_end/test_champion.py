"""Guards the champion in use: MLflow predicts and serves what was scored, without this project."""

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
import pytest

from models import predict
from models.predictor import Predictor
from tests.end_to_end.running import Call, Ended, Ran, few_pairs
from tests.end_to_end.servers import free_port, wait_until_it_answers

pytestmark = pytest.mark.slow
MODEL = "models:/smoke_search@champion"


@pytest.fixture(scope="module")
def pairs(searched: Ran) -> pd.DataFrame:
    """Return test pairs with what the ensemble said of them when it was scored."""
    (champion,) = searched.folder.glob("out/smoke_search-*/champion")
    said = [pd.read_csv(path) for path in sorted(champion.glob("*/predictions.csv"))]
    assert len(said) == 2
    of_test = [table[table["split"] == "test"].reset_index(drop=True) for table in said]
    texts = pd.read_table(few_pairs(searched.folder) / "test.tsv", quoting=3)
    found = texts.iloc[of_test[0]["line"] - 2][["first", "second"]].reset_index(drop=True)
    return found.assign(expected=np.mean([table["probability"] for table in of_test], axis=0))


def run(searched: Ran, folder: Path, *words: str) -> Ended:
    """Run Python with the store of the search, in a folder where this project is not."""
    return subprocess.run(
        [sys.executable, *words],
        capture_output=True, text=True, check=False, cwd=folder,
        env={**os.environ, "MLFLOW_TRACKING_URI": searched.store},
    )  # fmt: skip


def test_the_predictor_says_of_raw_text_what_was_scored(
    searched: Ran, pairs: pd.DataFrame
) -> None:
    (folder,) = searched.folder.glob("out/smoke_search-*/champion/served")
    found = Predictor(folder).predict(list(pairs["first"]), list(pairs["second"]))
    assert np.abs(found - pairs["expected"]).max() < 1e-4


def test_mlflow_predicts_the_same_on_a_file(
    searched: Ran, pairs: pd.DataFrame, tmp_path: Path
) -> None:
    pairs[["first", "second"]].to_csv(tmp_path / "pairs.csv", index=False)
    words = ["models", "predict", "-m", MODEL, "-i", "pairs.csv", "-t", "csv", "-o", "out.json"]
    ended = run(searched, tmp_path, "-m", "mlflow", *words, "--env-manager", "local")
    assert ended.returncode == 0, ended.stderr
    found = pd.DataFrame(json.loads((tmp_path / "out.json").read_bytes())["predictions"])
    assert np.abs(found["probability"] - pairs["expected"]).max() < 1e-4


def test_the_model_brings_its_own_code_and_holds_no_pickle(searched: Ran, tmp_path: Path) -> None:
    code = (
        "import sys, mlflow; mlflow.pyfunc.load_model(sys.argv[1], dst_path='model');"
        "import models.predictor, measures.overlap;"
        "print(models.predictor.__file__, measures.overlap.__file__, 'tuning' in sys.modules)"
    )
    (tmp_path / "model").mkdir()
    ended = run(searched, tmp_path, "-c", code, MODEL)
    places = ended.stdout.split()
    assert all(str(tmp_path / "model") in place for place in places[:2]), ended.stderr
    assert places[2] == "False"
    assert not [p for p in (tmp_path / "model").rglob("*") if p.suffix in (".pkl", ".pt", ".pth")]


@pytest.fixture(scope="module")
def url(searched: Ran, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give the address of a server of the champion."""
    folder, port = tmp_path_factory.mktemp("served"), free_port()
    environment = {
        **os.environ,
        "MLFLOW_TRACKING_URI": searched.store,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",  # it starts uvicorn
    }
    words = ["models", "serve", "-m", MODEL, "--env-manager", "local", "--port", str(port)]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "mlflow", *words],
            stdout=log, stderr=log, cwd=folder, env=environment,
        )  # fmt: skip
        try:
            wait_until_it_answers(f"http://127.0.0.1:{port}/ping", folder / "log")
            yield f"http://127.0.0.1:{port}/invocations"
        finally:
            for process in (*psutil.Process(server.pid).children(recursive=True), server):
                process.terminate()
            server.wait()


def ask(url: str, pairs: pd.DataFrame) -> tuple[int, dict[str, Any]]:
    """Return the status and the answer of the server."""
    body = json.dumps({"dataframe_split": pairs.to_dict("split")}).encode()
    headers = {"Content-Type": "application/json"}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, headers)) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_a_server_answers_the_same(url: str, pairs: pd.DataFrame) -> None:
    status, answer = ask(url, pairs[["first", "second"]])
    assert status == 200
    found = pd.DataFrame(answer["predictions"])
    assert np.abs(found["probability"] - pairs["expected"]).max() < 1e-4


@pytest.mark.parametrize(("text", "pieces"), [("", "got 0"), ("word " * 10_000, "got 10000")])
def test_a_server_refuses_what_is_no_input_in_a_sentence(url: str, text: str, pieces: str) -> None:
    status, answer = ask(url, pd.DataFrame({"first": ["a"], "second": [text]}))
    assert status == 400
    assert "the second definition must have from 1 to 254 word pieces" in str(answer["message"])
    assert pieces in str(answer["message"])


def test_the_command_answers_with_what_it_looked_at(searched: Ran, call: Call) -> None:
    words = ["open data", "data that is open", "--tracking-uri", searched.store]
    ended = call(predict.main, [sys.executable, "predict.py", *words])
    assert ended.returncode == 0, ended.stderr
    assert "Model: models:/smoke_search/1, the mean of 2 classifiers, encoder " in ended.stdout
    assert "say the same: probability" in ended.stdout
    assert "What the model looked at most" in ended.stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--model", "models:/nothing@champion"], "nothing@champion is unavailable: Registered"),
        (["--tracking-uri", "sqlite:///absent.db"], "absent.db: no such MLflow store"),
    ],
)
def test_a_model_that_cannot_be_had_is_said(
    searched: Ran,
    words: list[str],
    message: str,
    call: Call,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    store = [] if "--tracking-uri" in words else ["--tracking-uri", searched.store]
    ended = call(predict.main, [sys.executable, "predict.py", "a", "b", *words, *store])
    assert ended.returncode == 2
    assert message in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not list(tmp_path.iterdir())
