"""Guards a person's own sentences: they stand at their example, and what fits none is refused."""

from pathlib import Path
from typing import Any

import pytest

from analysis.load_runs import StoreError
from analysis.own_sentences import add_sentences, read_sentences


def test_a_sentence_stands_at_the_example_of_its_line(tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text("12: The label is wrong.\n", encoding="utf-8")
    examples: list[dict[str, Any]] = [{"line": 7}, {"line": 12}]
    add_sentences(examples, read_sentences(file), file)
    assert [example["note"] for example in examples] == ["", "The label is wrong."]


def test_a_line_without_an_example_is_refused_with_those_that_have_one() -> None:
    with pytest.raises(StoreError, match=r"own.yaml: line 5 is none .* of the lines 7, 12"):
        add_sentences([{"line": 12}, {"line": 7}], {5: "A sentence."}, Path("own.yaml"))


@pytest.mark.parametrize("text", ["", "- a list", "twelve: A sentence.", "12: 3", "12: a: b"])
def test_a_file_of_another_form_is_refused_with_an_example(tmp_path: Path, text: str) -> None:
    file = tmp_path / "own.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(StoreError, match="must map lines of the test file to sentences, as in"):
        read_sentences(file)
