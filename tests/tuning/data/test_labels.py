"""Guards what a label's word means, and the advice for words that stand for none."""

import pytest

from models.columns import Columns
from tuning.data.labels import label_advice, label_words


def test_words_are_those_of_columns_yaml_alone() -> None:
    assert label_words(Columns.model_validate({})) == {"1": 1, "0": 0}
    columns = Columns.model_validate({"labels": {1: ["yes", "1"], 0: ["no"]}})
    assert label_words(columns) == {"yes": 1, "1": 1, "no": 0}


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        ({"1", "0", "1.0"}, 'the line labels: {1: ["1", "1.0"], 0: ["0"]}'),
        ({"TRUE", " false "}, 'the line labels: {1: ["TRUE"], 0: [" false "]}'),
        ({"0", "1", "2"}, 'the line labels: {1: [], 0: ["0", "1", "2"]} and move those'),
        ({"1.0", "0.0", ""}, 'the line labels: {1: ["1.0"], 0: ["0.0"]}'),
        ({"ja", "nein"}, 'the line labels: {1: [], 0: ["ja", "nein"]} and move those'),
        ({"0", "-1"}, "labels of -1 are hidden, as in test splits of GLUE"),
    ],
)
def test_advice_shows_the_words_that_were_found(words: set[str], advice: str) -> None:
    assert advice in str(label_advice(words))


@pytest.mark.parametrize("words", [{"x"}, {"1", ""}, {str(n / 9) for n in range(9)}])
def test_there_is_no_advice_for_what_cannot_be_two_kinds(words: set[str]) -> None:
    assert label_advice(words) is None
