"""Guards the tokenizer of a pretraining: that of the encoder it begins with, in one file."""

from pathlib import Path

import pytest

from models.encoder_files import TOKENIZER, EncoderError
from models.tokens import encode_texts, load_tokenizer
from tests.models.drawn_encoders import TEXT, draw_encoder
from tests.models.published_forms import write_vocabulary
from tests.tuning.pretraining.test_plan import plan_of
from tuning.pretraining.phase_texts import make_tokenizer


def test_a_list_of_word_pieces_becomes_the_tokenizer_it_stands_for(tmp_path: Path) -> None:
    encoder = draw_encoder(tmp_path / "encoder", "distilbert")
    expected = encode_texts(load_tokenizer(encoder)[0], TEXT)
    write_vocabulary(encoder, {"do_lower_case": True})
    words = ("--corpus", "TEXT", "--init", str(encoder), "--set", "sequence_length=32")
    plan = plan_of(tmp_path, *words)
    made = make_tokenizer(plan, tmp_path / "made")
    assert (tmp_path / "made" / TOKENIZER).is_file()
    assert encode_texts(made, TEXT) == expected


@pytest.mark.parametrize("family", ["bert", "roberta"])
def test_another_family_than_distilbert_is_refused_by_name(tmp_path: Path, family: str) -> None:
    encoder = draw_encoder(tmp_path / "encoder", family)
    with pytest.raises(EncoderError, match=f"must be a distilbert, .* got a {family}"):
        plan_of(tmp_path, "--corpus", "TEXT", "--init", str(encoder))
