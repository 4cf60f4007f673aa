"""Guards tokenization: word pieces in their order, long pairs cut from the longer text."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Encoding as Encoded
from tokenizers import Tokenizer

from models.encoder_files import EncoderError, read_encoder_info
from models.segments import FIRST, SECOND, SECOND_SPECIAL, SPECIAL
from models.table_files import DataError
from models.tokens import Encoding, encode_texts, load_tokenizer, shorten
from tests.models.drawn_encoders import draw_encoder
from tuning.data.pairs import PairData, PairTable
from tuning.data.tokenization import tokenise

IDS = st.lists(st.integers(4, 9), min_size=1, max_size=20)


def data_of(*pairs: tuple[str, str]) -> PairData:
    table = PairTable(
        first=[first for first, _ in pairs],
        second=[second for _, second in pairs],
        labels=np.zeros(len(pairs), dtype=np.int64),
        votes=np.zeros(len(pairs), dtype=np.float32),
        groups=[""] * len(pairs),
        lines=list(range(2, 2 + len(pairs))),
    )
    return PairData(splits={"train": table}, files={"train": Path("train.tsv")}, fingerprint="")


class CountingTokenizer:
    """A tokenizer that keeps the texts it is given."""

    def __init__(self, folder: Path) -> None:
        self.inner, self.texts = load_tokenizer(folder)[0], list[str]()

    def encode_batch_fast(self, texts: list[str], *, add_special_tokens: bool) -> list[Encoded]:
        self.texts += texts
        return self.inner.encode_batch_fast(texts, add_special_tokens=add_special_tokens)


def test_equal_texts_are_split_once(distilbert: Path) -> None:
    tokenizer: Any = CountingTokenizer(distilbert)
    found = encode_texts(tokenizer, ["w0 w1", "w2", "w0 w1", "w3", "w2"])
    assert tokenizer.texts == ["w0 w1", "w2", "w3"]
    assert found == [[4, 5], [6], [4, 5], [7], [6]]


def test_each_split_has_its_own_texts(distilbert: Path) -> None:
    one, other = data_of(("w0", "w1"), ("w2", "w0")), data_of(("w1", "w3"))
    data = replace(one, splits={"train": one.splits["train"], "test": other.splits["train"]})
    found = tokenise(data, read_encoder_info(distilbert), max_tokens=None, both_orders=False)
    assert found.splits["train"].tokens.tolist() == [2, 4, 3, 5, 3, 2, 6, 3, 4, 3]
    assert found.splits["test"].tokens.tolist() == [2, 5, 3, 7, 3]


def test_a_row_has_both_definitions_and_another_row_has_them_swapped(distilbert: Path) -> None:
    info = read_encoder_info(distilbert)
    found = tokenise(data_of(("w0 w1", "w2")), info, max_tokens=None, both_orders=True)
    table = found.splits["train"]
    assert table.tokens.tolist() == [2, 4, 5, 3, 6, 3, 2, 6, 3, 4, 5, 3]
    assert table.segments[:6].tolist() == [SPECIAL, FIRST, FIRST, SPECIAL, SECOND, SPECIAL]
    assert table.offsets.tolist() == [0, 6, 12]
    assert (table.pairs, table.rows) == (1, 2)


def test_cut_pairs_are_counted(distilbert: Path) -> None:
    data = data_of(("w1 " * 9, "w2"), ("w1", "w2"), ("w1 " * 4, "w2 " * 4))
    found = tokenise(data, read_encoder_info(distilbert), max_tokens=9, both_orders=False)
    assert found.truncated == {"train": 2}
    assert found.splits["train"].lengths.tolist() == [9, 5, 9]


def test_a_definition_longer_than_the_encoder_takes_is_refused(distilbert: Path) -> None:
    data = data_of(("w1", "w2"), ("w1", "w2 " * 29))
    rule = "train.tsv: line 3: the second definition must have from 1 to 28 word pieces"
    with pytest.raises(DataError, match=rf"{rule}, which is what the encoder takes, got 29"):
        tokenise(data, read_encoder_info(distilbert), max_tokens=None, both_orders=False)


def test_a_long_definition_of_a_file_without_lines_is_named_by_its_row(distilbert: Path) -> None:
    data = replace(data_of(("w1", "w2 " * 29)), files={"train": Path("train.parquet")})
    with pytest.raises(DataError, match=r"train\.parquet: row 2: the second definition must"):
        tokenise(data, read_encoder_info(distilbert), max_tokens=None, both_orders=False)


@pytest.mark.parametrize(("encoding", "unit"), [("pair", "pair"), ("separate", "text")])
def test_the_first_of_many_long_definitions_are_named_with_the_ways_to_go_on(
    distilbert: Path, encoding: Encoding, unit: str
) -> None:
    data = data_of(*[("w1 " * (28 + n % 2 * n), "w2") for n in range(20)])  # ten are too long
    info = read_encoder_info(distilbert)
    with pytest.raises(DataError) as error:
        tokenise(data, info, max_tokens=None, both_orders=False, encoding=encoding)
    *lines, more, way_out = str(error.value).split("\n")
    assert [line.split(": ")[1] for line in lines] == [f"line {n}" for n in (3, 5, 7, 9, 11)]
    assert [line.rpartition(" ")[2] for line in lines] == ["29", "31", "33", "35", "37"]
    assert more == "... and 5 more; the longest has 47"
    assert "--set truncate=true" in way_out
    assert f"to cut every {unit} to fewer word pieces: --set max_tokens=NUMBER" in way_out


def test_with_max_tokens_a_definition_longer_than_the_encoder_takes_is_cut(
    distilbert: Path,
) -> None:
    data = data_of(("w1", "w2 " * 29), ("w1 " * 40, "w2 " * 40))
    found = tokenise(data, read_encoder_info(distilbert), max_tokens=30, both_orders=False)
    assert found.truncated == {"train": 2}
    assert found.splits["train"].lengths.tolist() == [30, 30]
    with pytest.raises(
        DataError, match=r"line 2: the first definition must have from 1 .* got 0$"
    ):
        tokenise(
            data_of(("", "w2 " * 29)),
            read_encoder_info(distilbert),
            max_tokens=30,
            both_orders=False,
        )


def test_a_definition_without_word_pieces_is_refused(distilbert: Path) -> None:
    with pytest.raises(DataError, match=r"the first definition must have from 1 to 28.*got 0"):
        tokenise(
            data_of((" ", "w2")), read_encoder_info(distilbert), max_tokens=None, both_orders=False
        )


@given(first=IDS, second=IDS, budget=st.integers(2, 45))
def test_cutting_keeps_the_budget_and_cuts_the_longer_text(
    first: list[int], second: list[int], budget: int
) -> None:
    a, b = shorten(first, second, budget)
    assert len(a) + len(b) == min(budget, len(first) + len(second))
    assert a == first[: len(a)]
    assert b == second[: len(b)]
    assert a
    assert b
    if len(a) < len(first):
        assert len(a) >= len(b)


def test_a_tokenizer_that_cannot_be_read_is_an_encoder_error(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(EncoderError, match=r"tokenizer.json: cannot be read"):
        load_tokenizer(tmp_path)


def test_a_tokenizer_without_special_tokens_is_refused(tmp_path: Path, distilbert: Path) -> None:
    tokenizer = Tokenizer.from_file(str(distilbert / "tokenizer.json"))
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    path = tmp_path / "tokenizer.json"
    path.write_text(path.read_text().replace("[SEP]", "[END]"))
    with pytest.raises(EncoderError, match=r"must have the tokens \[CLS\] and \[SEP\]"):
        load_tokenizer(tmp_path)


def test_a_tokenizer_that_knows_more_than_the_encoder_embeds_is_refused(
    distilbert: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(distilbert, tmp_path / "encoder"))
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.add_tokens(["new"])
    tokenizer.save(str(folder / "tokenizer.json"))
    info = read_encoder_info(folder)
    tokenise(data_of(("w1", "w2")), info, max_tokens=None, both_orders=False)
    with pytest.raises(EncoderError, match=r"tokenizer and embeddings disagree: .* 'new'"):
        tokenise(data_of(("w1", "new")), info, max_tokens=None, both_orders=False)


def test_two_more_special_tokens_leave_less_room(tmp_path: Path) -> None:
    info = read_encoder_info(draw_encoder(tmp_path, "roberta"))
    found = tokenise(data_of(("b " * 12, "c " * 12)), info, max_tokens=14, both_orders=False)
    assert found.truncated == {"train": 1}
    table = found.splits["train"]
    assert table.lengths.tolist() == [14]
    assert (table.segments == SPECIAL).nonzero()[0].tolist() == [0, 6, 7, 13]
    with pytest.raises(DataError, match="must have from 1 to 36 word pieces"):
        tokenise(data_of(("b " * 40, "c")), info, max_tokens=None, both_orders=False)


def test_encoded_separately_each_different_text_is_tokenized_once(distilbert: Path) -> None:
    data = data_of(("w1 w2", "w3"), ("w3", "w4 w5 w6"), ("w1 w2", "w1 w2"))
    info = read_encoder_info(distilbert)
    found = tokenise(data, info, max_tokens=None, both_orders=True, encoding="separate")
    table = found.splits["train"]
    assert (table.pairs, table.rows, table.sequences.rows) == (3, 6, 3)
    assert table.lengths.tolist() == [7, 8, 8, 7, 8, 8]
    for pair in range(3):
        (first, kinds), (swapped, _) = table.row(pair), table.row(pair + 3)
        cut = int((kinds >= SECOND).argmax())
        assert [*first[cut:], *first[:cut]] == swapped.tolist()
        assert kinds[cut] == kinds[-1] == SECOND_SPECIAL


def test_encoded_separately_each_text_has_the_limit_for_itself(distilbert: Path) -> None:
    data = data_of(("w1 " * 9, "w2 " * 4), ("w3", "w4"))
    info = read_encoder_info(distilbert)
    found = tokenise(data, info, max_tokens=8, both_orders=False, encoding="separate")
    assert found.truncated == {"train": 1}
    assert found.splits["train"].lengths.tolist() == [8 + 6, 3 + 3]
