"""Guards the ONNX file: it returns the model's float32 probabilities for every batch."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from measures.overlap import FEATURES
from models.checkpoint import CheckpointError
from models.export_onnx import Probability, export
from models.predictor import Predictor
from models.segments import FIRST, PADDING, SECOND, SECOND_SPECIAL, SPECIAL
from tests.models.drawn_encoders import draw_encoder
from tests.models.test_predictor import ensemble_of, save

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]  # the exporter warns


def ragged(rows: int, longest: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return token ids and kinds of position of rows of different lengths."""
    tokens = torch.randint(4, 40, (rows, longest))
    segments = torch.full((rows, longest), PADDING)
    for row in range(rows):
        length = max(5, longest - 2 * row)
        segments[row, :length] = SECOND
        segments[row, : length // 2] = FIRST
        segments[row, [0, length // 2, length - 1]] = SPECIAL
    return tokens, segments


@pytest.fixture(scope="module")
def two_layers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a DistilBERT of two layers: the exporter takes seconds for each."""
    return draw_encoder(tmp_path_factory.mktemp("two"), "distilbert", n_layers=2)


def test_the_file_returns_what_the_model_returns(two_layers: Path, tmp_path: Path) -> None:
    members = [(tmp_path / str(seed), seed) for seed in range(2)]
    saved = [save(folder, two_layers, seed=seed, depth=1, branch=True) for folder, seed in members]
    predictor = ensemble_of(tmp_path / "e", two_layers, saved)
    export(predictor, tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    for rows, longest in ((1, 7), (4, 19), (2, 28)):
        tokens, segments = ragged(rows, longest)
        features = torch.rand(rows, FEATURES)
        with torch.no_grad():
            expected = Probability(predictor)(tokens, segments, features).numpy()
        given = {"tokens": tokens, "segments": segments, "features": features}
        (found,) = session.run(None, {name: value.numpy() for name, value in given.items()})
        assert np.abs(np.asarray(found) - expected).max() < 1e-5


# Two layers where they differ or share something. Depth 0 leaves the convolution of deberta-v2 in
# the upper part; all layers leave nothing there.
@pytest.mark.parametrize(
    ("family", "head", "layers", "depth"),
    [
        ("bert", "attention_pooling", 1, 1),
        ("deberta-v2", "mean_pooling", 1, 0),
        ("electra", "cross_attention", 1, 0),
        ("modernbert", "cross_attention", 2, 1),
        ("mpnet", "cross_attention", 2, 1),
        ("roberta", "cross_attention", 1, 1),
    ],
)
def test_the_file_of_each_family_returns_what_the_model_returns(
    tmp_path: Path, family: str, head: str, layers: int, depth: int
) -> None:
    encoder = draw_encoder(tmp_path / "encoder", family, num_hidden_layers=layers)
    saved = save(tmp_path / "a", encoder, head=head, depth=depth)
    predictor = ensemble_of(tmp_path / "e", encoder, [saved])
    export(predictor, tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    torch.manual_seed(0)
    for rows, longest in ((1, 7), (4, 19), (2, 37)):
        tokens, segments = ragged(rows, longest)
        with torch.no_grad():
            expected = Probability(predictor)(tokens, segments).numpy()
        feed = {"tokens": tokens.numpy(), "segments": segments.numpy()}
        assert np.abs(session.run(None, feed)[0] - expected).max() < 1e-5
        assert rows == 1 or np.ptp(expected) > 1e-4


def test_a_head_that_onnx_does_not_support_is_refused(distilbert: Path, tmp_path: Path) -> None:
    saved = save(tmp_path / "a", distilbert, head="bilstm_attention")
    predictor: Predictor = ensemble_of(tmp_path / "e", distilbert, [saved])
    with pytest.raises(CheckpointError, match="must not be bilstm_attention"):
        export(predictor, tmp_path / "model.onnx")
    assert not (tmp_path / "model.onnx").exists()


def test_a_model_that_encodes_separately_is_exported_too(two_layers: Path, tmp_path: Path) -> None:
    more = {"separate": True, "layer_mean": True, "depth": 2}
    saved = save(tmp_path / "a", two_layers, branch=True, **more)
    predictor = ensemble_of(tmp_path / "e", two_layers, [saved])
    export(predictor, tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    long = [SPECIAL, FIRST, FIRST, SPECIAL, SECOND_SPECIAL, SECOND, SECOND, SECOND_SPECIAL]
    short = [SPECIAL, FIRST, SPECIAL, SECOND_SPECIAL, SECOND, SECOND_SPECIAL]
    for kinds in ([long, [*short, PADDING, PADDING], long], [[*short, PADDING]]):
        segments = torch.tensor(kinds)
        tokens, rows = torch.randint(4, 40, segments.shape), len(kinds)
        features = torch.rand(rows, FEATURES)
        with torch.no_grad():
            expected = Probability(predictor)(tokens, segments, features)
        given = {"tokens": tokens, "segments": segments, "features": features}
        (found,) = session.run(None, {name: value.numpy() for name, value in given.items()})
        assert np.abs(np.asarray(found) - expected.numpy()).max() < 1e-5
