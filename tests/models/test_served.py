"""Guards the served model: what is no pair of texts gets status 400 and a sentence."""

import json
import warnings
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from models.predictor import Predictor
from models.served import Served
from tests.models.untrained import save
from tuning.tracking.served_model import write_served_model

GOOD = {"first": "w1 w2", "second": "w3"}


@pytest.fixture(scope="module")
def client(distilbert: Path, tmp_path_factory: pytest.TempPathFactory) -> TestClient:
    """Return a client of MLflow's server of a champion."""
    folder = tmp_path_factory.mktemp("champion")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow warns of its own types and calls
        from mlflow.models import Model
        from mlflow.pyfunc import PyFuncModel
        from mlflow.pyfunc.scoring_server import init

        write_served_model(folder / "served", [save(folder / "a", distilbert)], distilbert, 0.25)
    served = Served(Predictor(folder / "served"))
    return TestClient(init(PyFuncModel(Model.load(folder / "served"), served)))


def ask(client: TestClient, content: Any, kind: str = "application/json") -> tuple[int, str]:  # noqa: ANN401 - JSON
    """Return the status and the body of the server's answer."""
    body = content if isinstance(content, str) else json.dumps(content)
    answer = client.post("/invocations", content=body, headers={"Content-Type": kind})
    return answer.status_code, answer.text


@pytest.mark.parametrize(
    ("second", "message"),
    [
        ({"second": None}, "must be a text, got a missing value"),
        ({}, "must be a text, got a missing value"),
        ({"second": float("nan")}, "must be a text, got a missing value"),
        ({"second": 7}, "must be a text, got 7"),
        ({"second": 1.5}, "must be a text, got 1.5"),
        ({"second": True}, "must be a text, got True"),
        ({"second": ["w1"]}, "must be a text, got ['w1']"),
        ({"second": {"w1": 1}}, "must be a text, got {'w1': 1}"),
        ({"second": ""}, "must have from 1 to 28 word pieces"),
        ({"second": " - "}, "cleaning empties ' - '"),
        ({"second": "w1 " * 29}, "got 29"),
    ],
)
@pytest.mark.parametrize("before", [[], [GOOD]])
def test_a_record_that_is_no_pair_of_texts_is_refused_by_row_and_field(
    client: TestClient, second: dict[str, Any], message: str, before: list[Any]
) -> None:
    if not before and not second:
        message = "Model is missing inputs ['second']"
    records = [*before, {"first": "w1", **second}]
    status, text = ask(client, {"dataframe_records": records})
    assert status == 400
    assert message in json.loads(text)["message"]
    if before or second:
        number = len(records)
        assert f"pair {number}: the second definition" in json.loads(text)["message"]
    assert "Traceback" not in text


@pytest.mark.parametrize("cell", ["null", "NA", "None", ""])
def test_a_csv_cell_that_is_read_as_missing_is_refused_with_the_way_out(
    client: TestClient, cell: str
) -> None:
    status, text = ask(client, f"id,first,second\n007,w1,w2\n8,w1,{cell}\n", "text/csv")
    assert status == 400
    assert "pair 2: the second definition must be a text, got a missing value" in text
    assert "send such texts as JSON" in text


def test_numbers_in_csv_are_texts_and_other_columns_are_not_read(client: TestClient) -> None:
    status, text = ask(client, "id,first,second,more\n007,007,1.10,\n8,w1,w2,null\n", "text/csv")
    assert status == 200
    assert len(json.loads(text)["predictions"]) == 2
    record = {**GOOD, "id": ["0012"], "more": None}
    status, text = ask(client, {"dataframe_records": [record]})
    alone = ask(
        client, {"dataframe_split": {"columns": ["first", "second"], "data": [["w1 w2", "w3"]]}}
    )
    assert (status, text) == alone


@pytest.mark.parametrize(
    "content",
    [
        {"dataframe_records": []},
        {"dataframe_records": [None]},
        {"dataframe_records": [GOOD, {**GOOD, "first": "\ud800"}]},
        {"dataframe_split": {"columns": ["first", "first"], "data": [["w1", "w2"]]}},
        {"dataframe_split": {"columns": ["first", "second"], "data": [["w1"]]}},
        "[",
        "",
    ],
)
def test_what_is_no_table_of_pairs_is_refused_in_words(client: TestClient, content: Any) -> None:  # noqa: ANN401 - JSON
    status, text = ask(client, content)
    assert status == 400
    assert json.loads(text)["message"]
