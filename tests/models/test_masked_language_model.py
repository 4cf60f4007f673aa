"""Guards the masked language model: logits and loss equal the libraries', files keep the head."""

from pathlib import Path

import pytest
import torch
from transformers import AutoModel

from models.encoder_files import EncoderError
from models.masked_language_model import (
    build_model,
    load_model,
    save_model,
    summed_loss,
    use_attention_of,
)

B, T, V, M = 3, 7, 11, 5  # all different, so that a swapped axis cannot pass
SHAPE = {"layers": 2, "width": 8, "heads": 2, "inner_width": 12, "positions": 13}


def inputs() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(0)
    chosen = torch.zeros(B, T, dtype=torch.bool)
    chosen.view(-1)[torch.randperm(B * T, generator=draw)[:M]] = True
    return torch.randint(V, (B, T), generator=draw), torch.tensor([0, 6, 2]), chosen


def test_logits_are_those_of_the_library_at_the_chosen_positions() -> None:
    model = build_model(V, SHAPE, seed=1)
    tokens, starts, chosen = inputs()
    positions = starts[:, None] + torch.arange(T)
    states = model.inner.distilbert(tokens, position_ids=positions).last_hidden_state
    inner = model.inner
    everywhere = inner.vocab_projector(
        inner.vocab_layer_norm(inner.activation(inner.vocab_transform(states)))
    )
    flat = chosen.flatten().nonzero().squeeze(-1)
    found = model(tokens, starts, flat)
    assert found.shape == (M, V)
    torch.testing.assert_close(found, everywhere[chosen])
    at_zero = model(tokens, torch.zeros_like(starts), flat)
    torch.testing.assert_close(at_zero, model.inner(input_ids=tokens).logits[chosen])
    assert not torch.allclose(found, at_zero)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_loss_and_its_gradient_are_cross_entropys(dtype: torch.dtype) -> None:
    draw = torch.Generator().manual_seed(0)
    logits = torch.randn(M, V, generator=draw).to(dtype)
    targets = torch.randint(V, (M,), generator=draw)
    plain = logits.clone().requires_grad_()
    expected = torch.nn.functional.cross_entropy(plain.float(), targets, reduction="sum")
    (expected / 3).backward()
    ours = logits.clone().requires_grad_()
    found = summed_loss(ours * 1, targets)
    (found / 3).backward()
    assert plain.grad is not None
    assert ours.grad is not None
    torch.testing.assert_close(found, expected)
    tolerance = 1e-6 if dtype == torch.float32 else 5e-3
    torch.testing.assert_close(ours.grad, plain.grad, atol=tolerance, rtol=tolerance)


def test_the_seed_draws_the_weights() -> None:
    one, same, other = (build_model(V, SHAPE, seed).state_dict() for seed in (0, 0, 1))
    name = "inner.distilbert.embeddings.word_embeddings.weight"
    assert torch.equal(one[name], same[name])
    assert not torch.equal(one[name], other[name])


def test_a_saved_model_comes_back_with_its_head(tmp_path: Path) -> None:
    model = build_model(V, SHAPE, seed=1)
    save_model(tmp_path, model)
    _write_tokenizer(tmp_path)
    loaded, head_is_new = load_model(tmp_path, seed=2)
    assert not head_is_new
    tokens, starts, _ = inputs()
    chosen = torch.arange(M)
    torch.testing.assert_close(
        loaded(tokens, starts, chosen), model(tokens, starts, chosen), atol=2e-3, rtol=2e-3
    )
    assert next(model.parameters()).dtype == torch.float32  # saving changes nothing
    body = AutoModel.from_pretrained(tmp_path)
    assert type(body).__name__ == "DistilBertModel"


def test_a_head_that_was_not_published_is_drawn_by_the_seed(distilbert: Path) -> None:
    (one, new), (same, _), (other, _) = (load_model(distilbert, seed) for seed in (0, 0, 1))
    assert new
    weights = [m.inner.vocab_transform.weight for m in (one, same, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_another_architecture_is_refused(bert: Path) -> None:
    with pytest.raises(EncoderError, match=r"must be a distilbert, .* got a bert"):
        load_model(bert, seed=0)


def test_missing_weights_of_the_encoder_are_named(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    save_model(tmp_path, build_model(V, SHAPE, seed=1))
    _write_tokenizer(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    del weights["distilbert.transformer.layer.1.ffn.lin1.bias"]
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(EncoderError, match=r"1 weights missing, the first is distilbert\.transf"):
        load_model(tmp_path, seed=0)


def _write_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").write_text("{}", encoding="utf-8")


def test_attention_begins_with_near_positions() -> None:
    from torch.nn.functional import cosine_similarity

    shape = SHAPE | {"width": 32, "positions": 40}
    table = build_model(V, shape, seed=0).inner.distilbert.embeddings.position_embeddings.weight
    near, far = (cosine_similarity(table[:-d], table[d:]).mean() for d in (1, 20))
    assert near > 0.8
    assert far < 0.5
    plain = build_model(V, shape, seed=0, near=False).inner.distilbert
    table = plain.embeddings.position_embeddings.weight
    assert cosine_similarity(table[:-1], table[1:]).mean().abs() < 0.2


def test_the_head_sees_few_numbers_of_rows() -> None:
    model, rows = build_model(V, SHAPE, seed=0), set()
    model.inner.vocab_projector.register_forward_hook(lambda _, args, __: rows.add(len(args[0])))
    tokens, starts, _ = inputs()
    for count in (1, 4, 21):
        assert len(model(tokens, starts, torch.arange(count))) == count
    assert len(rows) == 1  # torch keeps what it prepared for each: memory would grow


def test_fused_attention_differs_by_rounding() -> None:
    model = build_model(V, SHAPE, seed=1)
    tokens, starts, _ = inputs()
    chosen, found, kinds = torch.arange(M), [], []
    for kind in ("cpu", "meta", "cpu"):  # what is not a CPU stands for a GPU
        use_attention_of(model, torch.device(kind))
        kinds.append(model.inner.config._attn_implementation)
        found.append(model(tokens, starts, chosen))
    assert kinds == ["eager", "sdpa", "eager"]
    assert torch.equal(found[0], found[2])
    torch.testing.assert_close(found[0], found[1], atol=1e-5, rtol=1e-5)
