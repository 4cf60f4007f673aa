"""Guards the families of encoders: cut anywhere, they compute what the library's own models do."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from models.attended_words import attended_words
from models.batches import RowReader
from models.classifier import Classifier, autocast, run_frozen
from models.encoder import load_encoder
from models.encoder_files import read_encoder_info
from models.families import FAMILIES
from models.heads import build_head
from models.segments import FIRST, PADDING, SECOND, SPECIAL
from models.served import _load_pyfunc
from models.tokens import build_table, encode_texts, load_tokenizer
from tests.models.drawn_encoders import LAYERS, TEXT, draw_encoder
from tests.models.test_predictor import ensemble_of, save

NAMES = sorted(FAMILIES)
Drawn = Callable[[str], Path]
Attention = Literal["eager", "sdpa"]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Drawn:
    """Return a function from a family's name to the folder of its encoder, drawn once."""
    return cache(lambda name: draw_encoder(tmp_path_factory.mktemp(name), name))


def batch_of(folder: Path) -> tuple[Tensor, Tensor]:
    """Return token ids and kinds of position of three pairs of different lengths."""
    tokenizer, special = load_tokenizer(folder)
    ids = [text[:15] for text in encode_texts(tokenizer, TEXT)]
    rows = [(ids[0], ids[1]), (ids[2][:3], ids[3][:2]), (ids[4], ids[0][:5])]
    batch = RowReader(build_table(rows, special, 3), None, torch.device("cpu")).read(np.arange(3))
    return batch.inputs, batch.segments


def whole(folder: Path, attention: str, tokens: Tensor, segments: Tensor) -> Tensor:
    """Return the states that the library's own model computes."""
    from transformers import AutoModel

    info = read_encoder_info(folder)
    family = FAMILIES[info.architecture]
    model = AutoModel.from_pretrained(folder, attn_implementation=attention).eval()
    mask = (segments != PADDING).long()
    padding = model.config.pad_token_id
    options = {}
    if family.token_types:
        second = torch.zeros_like(tokens)
        for row, kinds in enumerate(segments.tolist()):
            if SECOND in kinds:  # a text alone has none
                second[row, kinds.index(SECOND) :] = 1
        options["token_type_ids"] = second
    tokens = tokens.masked_fill(mask == 0, padding)
    return model(input_ids=tokens, attention_mask=mask, **options).last_hidden_state


def attentions(name: str) -> list[str]:
    return ["eager", "sdpa"] if FAMILIES[name].sdpa else ["eager"]


CASES = [(name, attention) for name in NAMES for attention in attentions(name)]


@pytest.mark.parametrize(("name", "attention"), CASES)
@torch.no_grad()
def test_wherever_it_is_cut_the_states_are_those_of_the_whole(
    folders: Drawn,
    name: str,
    attention: Attention,
) -> None:
    folder = folders(name)
    tokens, segments = batch_of(folder)
    real = segments != PADDING
    expected = whole(folder, attention, tokens, segments)
    assert (expected[real].std(dim=0) > 0.05).all()
    for depth in range(LAYERS + 1):
        lower, upper = load_encoder(folder, depth, attention=attention)
        states = tokens if depth == 0 else lower(tokens, segments)
        found = upper(states, segments)
        torch.testing.assert_close(found[real], expected[real], atol=2e-6, rtol=2e-5)
        assert found.isfinite().all()


@pytest.mark.parametrize("changes", [{"conv_kernel_size": 0}, {"relative_attention": False}])
@torch.no_grad()
def test_what_a_deberta_may_lack_is_left_out(tmp_path: Path, changes: dict[str, object]) -> None:
    folder = draw_encoder(tmp_path, "deberta-v2", **changes)
    tokens, segments = batch_of(folder)
    lower, upper = load_encoder(folder, 1)
    real = segments != PADDING
    found = upper(lower(tokens, segments), segments)[real]
    expected = whole(folder, "eager", tokens, segments)[real]
    torch.testing.assert_close(found, expected, atol=2e-6, rtol=2e-5)


@torch.no_grad()
def test_an_electra_without_a_projection_is_cut_too(tmp_path: Path) -> None:
    folder = draw_encoder(tmp_path, "electra", embedding_size=24)
    tokens, segments = batch_of(folder)
    lower, upper = load_encoder(folder, 1)
    real = segments != PADDING
    found = upper(lower(tokens, segments), segments)[real]
    torch.testing.assert_close(found, whole(folder, "sdpa", tokens, segments)[real])


@torch.no_grad()
def test_a_bert_with_one_kind_of_token_takes_pairs(tmp_path: Path) -> None:
    from transformers import AutoModel

    folder = draw_encoder(tmp_path, "bert", type_vocab_size=1)
    tokens, segments = batch_of(folder)
    real = segments != PADDING
    model = AutoModel.from_pretrained(folder, attn_implementation="sdpa").eval()
    expected = model(input_ids=tokens, attention_mask=real.long()).last_hidden_state
    lower, upper = load_encoder(folder, 1)
    found = upper(lower(tokens, segments), segments)
    torch.testing.assert_close(found[real], expected[real], atol=2e-6, rtol=2e-5)


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize(("name", "attention"), CASES)
@torch.no_grad()
def test_padding_changes_nothing_and_stays_finite(
    folders: Drawn,
    name: str,
    attention: Attention,
    precision: torch.dtype,
) -> None:
    tokens, segments = batch_of(folders(name))
    length = int((segments[1] != PADDING).sum())
    assert length < tokens.shape[1] - 8
    atol, rtol = (2e-6, 2e-5) if precision == torch.float32 else (0.1, 0.0)
    for depth in (1, LAYERS):
        lower, upper = load_encoder(folders(name), depth, attention=attention)
        # a cache keeps the states of tokens alone: anything may stand on padding
        states = run_frozen(lower, tokens, segments, precision)
        assert states.isfinite().all()
        states[segments == PADDING] = states[0, 0].clone()
        with autocast(tokens.device, precision):
            together = upper(states, segments).float()
            alone = upper(states[1:2, :length], segments[1:2, :length]).float()
        assert together.isfinite().all()
        torch.testing.assert_close(together[1:2, :length], alone, atol=atol, rtol=rtol)
        first = run_frozen(lower, tokens[1:2, :length], segments[1:2, :length], precision)
        torch.testing.assert_close(states[1:2, :length], first, atol=atol, rtol=rtol)


@pytest.mark.parametrize("name", NAMES)
@torch.no_grad()
def test_the_longest_sequence_fits_and_one_token_more_does_not(folders: Drawn, name: str) -> None:
    longest = read_encoder_info(folders(name)).max_tokens
    assert longest == (38 if name in ("mpnet", "roberta") else 40)
    lower, _ = load_encoder(folders(name), 1)
    tokens, segments = torch.full((1, longest + 1), 7), torch.full((1, longest + 1), SPECIAL)
    assert lower(tokens[:, 1:], segments[:, 1:]).isfinite().all()
    if name not in ("deberta-v2", "modernbert"):  # these have no table of positions
        with pytest.raises((IndexError, RuntimeError)):
            lower(tokens, segments)


@pytest.mark.parametrize("name", NAMES)
def test_rows_are_what_the_tokenizer_makes_of_a_pair(folders: Drawn, name: str) -> None:
    tokenizer, special = load_tokenizer(folders(name))
    first, second = "naïve data, x2", "a structure"
    ids = encode_texts(tokenizer, [first, second])
    table = build_table([(ids[0], ids[1])], special, 1)
    pair = tokenizer.encode(first, second)
    assert table.tokens.tolist() == pair.ids
    kinds = [{None: SPECIAL, 0: FIRST, 1: SECOND}[side] for side in pair.sequence_ids]
    assert table.segments.tolist() == kinds
    assert special.of_pair == (4 if name in ("mpnet", "roberta") else 3)
    assert special.of_text == 2


@pytest.mark.parametrize("name", NAMES)
def test_training_reaches_the_upper_part_alone(folders: Drawn, name: str) -> None:
    tokens, segments = batch_of(folders(name))
    for depth in (0, 2):
        lower, upper = load_encoder(folders(name), depth)
        head = build_head("cross_attention", width=24, head_width=6, dropout=0.0)
        model = Classifier(lower if depth else None, upper, head)
        torch.nn.functional.cross_entropy(
            model(tokens, segments), torch.tensor([0, 1, 1])
        ).backward()
        assert all(weight.grad is not None for weight in model.encoder_parameters())
        assert all(weight.grad is None for weight in lower.parameters())
        parts = [weight for part in upper.from_the_top() for weight in part.parameters()]
        assert {*map(id, parts)} == {*map(id, model.encoder_parameters())}
        shared = [] if upper.shared is None else list(upper.shared.parameters())
        assert all((weight.grad is None) == (depth > 0) for weight in shared)


@pytest.mark.parametrize("name", NAMES)
def test_a_saved_model_predicts_what_it_did_and_shows_readable_words(
    folders: Drawn,
    tmp_path: Path,
    name: str,
) -> None:
    saved = save(tmp_path / "a", folders(name), depth=1, both_orders=True)
    found = ensemble_of(tmp_path / "e", folders(name), [saved])
    served = _load_pyfunc(str(tmp_path / "e"))
    texts = ["naïve structure, of data", "a language"], ["data language", "facts are data"]
    expected = torch.tensor(found.predict(*texts))
    frame = pd.DataFrame({"first": texts[0], "second": texts[1]})
    assert served.predict(frame)["probability"].tolist() == expected.tolist()
    # of an untrained model, whose word pieces are drawn anew by each process: little, but some
    assert abs(expected[0] - expected[1]) > 1e-6
    swapped = torch.tensor(found.predict(texts[1], texts[0]))
    torch.testing.assert_close(swapped, expected, atol=1e-6, rtol=0)
    attended = found.attend("naïve structure, of data", "a language")
    assert attended is not None
    words = {each.word for each in attended_words(*attended)}
    naive = "naive" if FAMILIES[name].vocabulary_file else "naïve"
    assert words - {"[UNK]"} >= {naive, "structure", ",", "of", "data"} - {naive, ","}
    assert {each.to for each in attended_words(*attended)} <= {"a", "language"}


@pytest.mark.parametrize("name", NAMES)
def test_the_parts_can_lie_on_different_devices(folders: Drawn, name: str) -> None:
    lower, upper = load_encoder(folders(name), 1)
    own = [
        {id(tensor) for tensor in part.state_dict(keep_vars=True).values()}
        for part in (lower, upper)
    ]
    assert own[0].isdisjoint(own[1])
    upper.to("meta")
    tokens, segments = batch_of(folders(name))
    assert lower(tokens, segments).isfinite().all()
