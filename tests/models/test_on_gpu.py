"""Guards, on a GPU alone, what other tests hold on a CPU: masks, caches, stacks, saved files."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.gpu_bench import assigned_grid
from models.batches import RowReader, SplitArrays, sorted_batches
from models.checkpoint import load_classifier, save_classifier
from models.classifier import Classifier
from models.encoder import load_encoder
from models.frozen_pass import FrozenEncoder, encode
from models.heads import HEADS, build_head
from models.number_formats import FLOAT32, Precision
from models.segments import FIRST, SECOND, SPECIAL
from models.state_writer import StateWriter
from tests.tuning.training.test_trainer import config, toy
from tuning.data.prepared import Prepared
from tuning.system.project import EMBEDDED
from tuning.training.evaluation import predict
from tuning.training.gpu_memory import measure_share
from tuning.training.inputs import LoadedSplit, SharedInputs, build_inputs, split_arrays
from tuning.training.seeds import can_stack, fit_seeds
from tuning.training.trainer import Trainer, fit

DEVICE = torch.device("cuda")
pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no CUDA device")
ENCODER = EMBEDDED / "encoder"
LAYERS, WIDTH, PAIRS = 4, 256, 40
# largest differences of a logit: one rounding apart in float32; in half precision the matrix
# products of other batch shapes add up in another order
TOLERANCES = {"float32": 1e-4, "float16": 0.02, "bfloat16": 0.1}
STACKED = sorted(set(HEADS) - {"bilstm_attention"})


@cache
def embedded() -> Prepared:
    """Return the assigned grid with the encoder and the pairs that ship."""
    return assigned_grid("embedded", "embedded", 1)


def arrays(states: np.ndarray | None = None) -> SplitArrays:
    """Return the validation split, whose rows have many lengths."""
    tables = {"validation": embedded().tokens.splits["validation"]}
    cached = {} if states is None else {"validation": states}
    return split_arrays(embedded().pairs, tables, cached, overlap=False)["validation"]


def build(depth: int, precision: str, attention: str = "sdpa") -> Classifier:
    torch.manual_seed(0)
    eager = attention == "eager"
    lower, upper = load_encoder(ENCODER, depth, attention="eager" if eager else "sdpa")
    head = build_head("cross_attention", width=WIDTH, head_width=6)
    model = Classifier(lower, upper, head, precision=getattr(torch, precision))
    return model.eval()


def logits_of(model: Classifier, reader: RowReader, rows: np.ndarray) -> torch.Tensor:
    batch = reader.read(rows)
    return model(batch.inputs, batch.segments, batch.features, batch.lengths)


@pytest.mark.parametrize("head", sorted(HEADS))
@torch.no_grad()
def test_padding_does_not_change_a_heads_logits(head: str) -> None:
    torch.manual_seed(0)
    model = build_head(head, width=12, head_width=6).eval().to(DEVICE)
    states = torch.randn(3, 9, 12, device=DEVICE)
    segments = torch.tensor([[SPECIAL, FIRST, FIRST, SPECIAL, SECOND, SPECIAL, 0, 0, 0]] * 3)
    segments = segments.to(DEVICE)
    padded, cut = model(states, segments), model(states[:, :6], segments[:, :6])
    # cuDNN's LSTM multiplies in TensorFloat-32 by default
    torch.testing.assert_close(padded, cut, atol=1e-3, rtol=0)


@pytest.mark.parametrize("precision", sorted(TOLERANCES))
@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@torch.no_grad()
def test_neighbours_and_order_do_not_change_a_pairs_logits(precision: str, attention: str) -> None:
    model = build(2, precision, attention).to(DEVICE)
    reader = RowReader(arrays().table, None, DEVICE)
    rows = np.arange(PAIRS)
    together = logits_of(model, reader, rows)
    turned = logits_of(model, reader, rows[::-1].copy()).flip(0)
    alone = torch.cat([logits_of(model, reader, rows[n : n + 1]) for n in range(PAIRS)])
    assert together.isfinite().all()
    for other in (turned, alone):
        torch.testing.assert_close(other, together, atol=TOLERANCES[precision], rtol=0)


@pytest.mark.parametrize("precision", sorted(TOLERANCES))
@pytest.mark.parametrize("depth", [2, LAYERS])
def test_cached_states_give_the_logits_of_the_plain_pass(depth: int, precision: str) -> None:
    model = build(depth, precision).to(DEVICE)
    lower = model.lower
    assert lower is not None
    frozen = FrozenEncoder(
        lower=lambda: lower,
        encoder_fingerprint="",
        depth=depth,
        precision=getattr(torch, precision),
        device=DEVICE,
    )
    trial = config(both_orders=True, targets="labels")
    plain = predict(model, LoadedSplit(arrays(), trial, DEVICE))
    states = encode(frozen, arrays().table)
    assert np.isfinite(states).all()
    model.lower = None
    cached = predict(model, LoadedSplit(arrays(states), trial, DEVICE))
    np.testing.assert_allclose(cached, plain, atol=TOLERANCES[precision], rtol=0)


def test_states_that_are_written_beside_the_pass_stand_where_their_tokens_do() -> None:
    table, width = arrays().table, 1024
    expected = torch.arange(len(table.tokens), dtype=torch.float32)[:, None].expand(-1, width)
    reader = RowReader(table, expected.numpy(), DEVICE)
    batches = list(sorted_batches(table.lengths, 2048))  # more of them than buffers
    assert len(batches) > 4
    with StateWriter(table, DEVICE) as writer:
        for rows, batch in zip(batches, reader.read_each(batches), strict=True):
            writer.write(rows, batch.inputs * 2)  # whose memory is free for the next batch
    np.testing.assert_array_equal(writer.states, 2 * expected)


def test_a_training_that_diverges_on_the_card_ends_with_the_cpus_losses(distilbert: Path) -> None:
    trial = config(epochs=20, batch_size=1, dropout=0.0)  # more steps than between two looks
    found = []
    for device in (torch.device("cpu"), DEVICE):
        torch.manual_seed(1)
        _, upper = load_encoder(distilbert, 3)
        head = build_head("cross_attention", width=12, head_width=8, dropout=0.0)
        train, validation = (LoadedSplit(toy(number), trial, device) for number in (0, 1))
        training = Trainer(Classifier(None, upper, head).to(device), train, validation, trial)
        training.run_epoch()
        train.targets[30] = torch.inf
        result = training.run_epoch()
        assert result.diverged
        assert training.finished
        found.append((result.train_loss, result.val_loss))
    assert found[0] == pytest.approx(found[1], abs=1e-2)


def test_the_card_gives_the_cpus_logits_in_float32() -> None:
    trial = config(targets="labels")
    model = build(2, "float32")
    expected = predict(model, LoadedSplit(arrays(), trial, torch.device("cpu")))
    found = predict(model.to(DEVICE), LoadedSplit(arrays(), trial, DEVICE))
    np.testing.assert_allclose(found, expected, atol=1e-3, rtol=0)


@pytest.mark.parametrize("head", STACKED)
@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_stacked_seeds_equal_seeds_trained_one_by_one(
    distilbert: Path, head: str, optimizer: str
) -> None:
    trial = config(head=head, order_seed=11, optimizer=optimizer)  # without dropout

    def build_seed(seed: int) -> Classifier:
        torch.manual_seed(seed)
        _, upper = load_encoder(distilbert, 3)
        return Classifier(None, upper, build_head(head, width=12, head_width=8, dropout=0.0))

    models = [build_seed(seed).to(DEVICE) for seed in (5, 6, 8)]
    assert can_stack(models)
    train, validation = (LoadedSplit(toy(seed), trial, DEVICE) for seed in (0, 1))
    epochs = list(fit_seeds(models, train, validation, trial, stacked=True))
    for position, seed in enumerate((5, 6, 8)):
        single = build_seed(seed).to(DEVICE)
        expected = list(fit(single, train, validation, trial))
        for one, other in zip((results[position] for results in epochs), expected, strict=True):
            assert one.train_loss == pytest.approx(other.train_loss, abs=1e-3)
        found = predict(models[position], validation)
        np.testing.assert_allclose(found, predict(single, validation), atol=1e-2)


@pytest.mark.parametrize("head", sorted(HEADS))
def test_a_resumed_training_ends_as_one_that_was_not_interrupted(
    distilbert: Path, tmp_path: Path, head: str
) -> None:
    trial = config(head=head, dropout=0.3)

    def begin(seed: int) -> Trainer:
        torch.manual_seed(seed)
        _, upper = load_encoder(distilbert, 2)
        model = Classifier(None, upper, build_head(head, width=12, head_width=8, dropout=0.3))
        train, validation = (LoadedSplit(toy(number), trial, DEVICE) for number in (0, 1))
        return Trainer(model.to(DEVICE), train, validation, trial)

    undisturbed, interrupted = begin(1), begin(1)
    interrupted.run_epoch()
    torch.save(interrupted.state_dict(), tmp_path / "state")
    resumed = begin(2)
    state = torch.load(tmp_path / "state", map_location="cpu", weights_only=True)
    resumed.load_state_dict(state)
    for training in (undisturbed, resumed):
        while not training.finished:
            training.run_epoch()
    for name, weight in undisturbed.model.trained_state().items():
        torch.testing.assert_close(resumed.model.trained_state()[name], weight, atol=1e-3, rtol=0)


@torch.no_grad()
def test_a_saved_classifier_is_loaded_with_equal_logits(tmp_path: Path) -> None:
    trial = config(both_orders=True, targets="labels", epochs=1)
    model = build(2, "bfloat16").to(DEVICE)
    split = LoadedSplit(arrays(), trial, DEVICE)
    with torch.enable_grad():
        Trainer(model, split, split, trial).run_epoch()
    head = {"name": "cross_attention", "width": WIDTH, "head_width": 6, "dropout": 0.1}
    fingerprint = embedded().encoder.fingerprint
    card = {"encoder": {"fingerprint": fingerprint, "depth": 2}, "head": head}
    save_classifier(tmp_path, model, {**card, "precision": "bfloat16"})
    loaded = load_classifier(tmp_path, ENCODER)
    assert {weight.device.type for weight in loaded.parameters()} == {"cpu"}
    np.testing.assert_array_equal(predict(loaded.to(DEVICE), split), predict(model, split))


def devices_of(inputs: SharedInputs) -> set[str]:
    """Return the types of the devices that hold a tensor of the encoder's parts."""
    parts = [part for part in (inputs.lower, inputs.upper) if part is not None]
    tensors = [tensor for part in parts for tensor in (*part.parameters(), *part.buffers())]
    return {tensor.device.type for tensor in tensors}


@pytest.mark.parametrize("depth", [0, 2, LAYERS])
@pytest.mark.parametrize("cached", [True, False])
def test_shared_inputs_stay_on_the_host_also_when_memory_is_measured(
    tmp_path: Path, depth: int, *, cached: bool
) -> None:
    experiment = embedded().experiment.model_copy(update={"cache_activations": cached})
    prepared = replace(embedded(), experiment=experiment)
    trial = prepared.trials[0].model_copy(update={"freezing": depth})
    inputs = build_inputs(prepared, trial, Precision(FLOAT32, FLOAT32), tmp_path)
    assert devices_of(inputs) <= {"cpu"}
    seeds = [trial.model_copy(update={"seed": seed, "order_seed": 0}) for seed in range(2)]
    assert 0 < measure_share(seeds[:1], inputs) <= measure_share(seeds, inputs) <= 1
    assert devices_of(inputs) <= {"cpu"}
