"""Guards the files of word pieces: one gives what the tokenizer gives, or is written anew."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.encoder_files import EncoderInfo, read_encoder_info
from models.tokens import Encoding
from tests.tuning.data.test_tokenization import data_of
from tuning.data import tokenization
from tuning.data.pairs import PairData
from tuning.data.tokenization import TOKENS, TokenData, load_or_tokenise, tokenise


@pytest.fixture
def data() -> PairData:
    train, test = data_of(("w0 w1 w2", "w3"), ("w4", "w0 w1 w2")), data_of(("w5", "w6 w7"))
    splits = {"train": train.splits["train"], "test": test.splits["train"]}
    return replace(train, splits=splits, fingerprint="one")


@pytest.fixture
def encoder(distilbert: Path) -> EncoderInfo:
    return read_encoder_info(distilbert)


def load(
    data: PairData, encoder: EncoderInfo, folder: Path, encoding: Encoding = "pair"
) -> TokenData:
    return load_or_tokenise(
        data, encoder, folder, max_tokens=6, both_orders=True, encoding=encoding
    )


def same(one: TokenData, other: TokenData) -> bool:
    """Return whether all is equal, types of numbers too."""

    def plain(tokens: TokenData) -> list[object]:
        tables = [
            (split, table.pairs, array if array is None else (array.dtype, array.tolist()))
            for split, table in tokens.splits.items()
            for array in (table.tokens, table.segments, table.offsets, table.members)
        ]
        return [tables, tokens.truncated, tokens.max_tokens]

    return plain(one) == plain(other)


def files_of(folder: Path) -> list[Path]:
    return sorted((folder / TOKENS).iterdir())


@pytest.mark.parametrize("encoding", ["pair", "separate"])
def test_a_file_gives_what_the_tokenizer_gives(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    data: PairData,
    encoder: EncoderInfo,
    encoding: Encoding,
) -> None:
    expected = tokenise(data, encoder, max_tokens=6, both_orders=True, encoding=encoding)
    assert same(load(data, encoder, tmp_path, encoding), expected)
    monkeypatch.delattr(tokenization, "tokenise")
    assert same(load(data, encoder, tmp_path, encoding), expected)


def test_a_damaged_file_is_written_anew(
    tmp_path: Path, data: PairData, encoder: EncoderInfo
) -> None:
    expected = load(data, encoder, tmp_path)
    (path,) = files_of(tmp_path)
    content = path.read_bytes()
    random = np.random.default_rng(0)
    for position in random.choice(len(content), 40, replace=False):
        damaged = bytearray(content)
        damaged[position] ^= 1 << int(random.integers(8))
        for harmed in (bytes(damaged), content[:position], b""):
            path.write_bytes(harmed)
            assert same(load(data, encoder, tmp_path), expected)
            assert path.read_bytes()[32:] == content[32:]


def test_another_text_encoder_or_option_has_another_file(
    tmp_path: Path, data: PairData, encoder: EncoderInfo
) -> None:
    load(data, encoder, tmp_path)
    load(data, encoder, tmp_path, "separate")
    load(replace(data, fingerprint="two"), encoder, tmp_path)
    load(data, replace(encoder, fingerprint="other"), tmp_path)
    for limit, both in ((7, True), (None, True), (6, False)):
        load_or_tokenise(
            data, encoder, tmp_path, max_tokens=limit, both_orders=both, encoding="pair"
        )
    assert len(files_of(tmp_path)) == 7


def test_the_files_that_were_used_last_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: PairData, encoder: EncoderInfo
) -> None:
    monkeypatch.setattr(tokenization, "_KEPT", 2)
    load(data, encoder, tmp_path)
    (used,) = files_of(tmp_path)
    for number in range(3):
        load(replace(data, fingerprint=str(number)), encoder, tmp_path)
        load(data, encoder, tmp_path)
    assert used in files_of(tmp_path)
    assert len(files_of(tmp_path)) == 2


def test_a_cache_that_cannot_be_written_stops_nothing(
    tmp_path: Path, data: PairData, encoder: EncoderInfo
) -> None:
    (tmp_path / TOKENS).write_text("a file where a folder must be")
    expected = tokenise(data, encoder, max_tokens=6, both_orders=True)
    assert same(load(data, encoder, tmp_path), expected)
