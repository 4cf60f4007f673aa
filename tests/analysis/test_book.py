"""Guards tables and figures of the report: files keep every digit, missing values are dashes."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis import captions
from analysis.book import Book
from analysis.theme import panels


def test_a_table_is_shown_rounded_and_saved_with_every_digit(tmp_path: Path) -> None:
    book = Book(tmp_path)
    frame = pd.DataFrame({"split": ["test", "train"], "auc": [1 / 3, np.nan]})
    book.add_table("overlap_auc", frame)
    shown = json.loads(book.write().read_bytes())["tables"]["overlap_auc"]
    assert shown["header"] == ["split", "AUC"]
    assert shown["rows"] == [["test", ".333"], ["train", "–"]]
    kept = pd.read_csv(tmp_path / "tables/overlap_auc.csv")
    assert kept["auc"].iloc[0] == 1 / 3


def test_a_column_without_a_value_is_left_out(tmp_path: Path) -> None:
    book = Book(tmp_path)
    frame = pd.DataFrame({"split": ["test", "train"], "auc": [np.nan, np.nan], "flag": ["", ""]})
    book.add_table("overlap_auc", frame)
    shown = json.loads(book.write().read_bytes())["tables"]["overlap_auc"]
    assert (shown["header"], shown["rows"]) == (["split"], [["test"], ["train"]])
    assert list(pd.read_csv(tmp_path / "tables/overlap_auc.csv")) == ["split", "auc", "flag"]


def test_no_line_ends_between_a_number_and_its_sign(tmp_path: Path) -> None:
    book = Book(tmp_path)
    book.add_text("data", ["95 % of p = .031 or p < .001"])
    (sentence,) = json.loads(book.write().read_bytes())["texts"]["data"]
    assert sentence == "95\u00a0% of p\u00a0=\u00a0.031 or p\u00a0<\u00a0.001"


def test_the_same_figure_gives_the_same_file(tmp_path: Path) -> None:
    contents = []
    for name in ("one", "other"):
        book = Book(tmp_path / name)
        figure, (axis,) = panels(1, 1, height=2.0)
        axis.plot([1, 2], [3, 1])
        book.add_figure("overlap", figure)
        contents.append((tmp_path / name / "figures/overlap.pdf").read_bytes())
        assert (tmp_path / name / "figures/overlap.png").is_file()
    assert contents[0] == contents[1]


@pytest.mark.parametrize(
    ("write", "value", "expected"),
    [
        (captions.score, 0.70351, ".704"),
        (captions.score, 1.0, "1.000"),
        (captions.score, 10.25, "10.250"),  # a loss
        (captions.points, -0.0123, "−1.2"),
        (captions.points, 0.0723, "+7.2"),
        (captions.p_value, 0.00099, "< .001"),
        (captions.percent, 0.4789, "47.9 %"),
        (captions.rate, 0.001, "0.001"),
    ],
)
def test_numbers_are_written_as_a_reader_expects(write, value: float, expected: str) -> None:  # noqa: ANN001
    assert write(value) == expected
