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


@pytest.mark.parametrize(
    ("architecture", "head", "depth", "branch", "members"),
    [
        ("distilbert", "cross_attention", 2, True, 2),
        ("bert", "attention_pooling", 3, False, 1),
        ("distilbert", "mean_pooling", 0, False, 1),
    ],
)
def test_the_file_returns_what_the_model_returns(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    architecture: str,
    head: str,
    depth: int,
    branch: bool,
    members: int,
) -> None:
    encoder = request.getfixturevalue(architecture)
    saved = [
        save(tmp_path / str(seed), encoder, seed=seed, head=head, depth=depth, branch=branch)
        for seed in range(members)
    ]
    predictor = ensemble_of(tmp_path / "e", encoder, saved)
    export(predictor, tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    for rows, longest in ((1, 7), (4, 19), (2, 28)):
        tokens, segments = ragged(rows, longest)
        features = torch.rand(rows, FEATURES) if branch else None
        with torch.no_grad():
            expected = Probability(predictor)(tokens, segments, features).numpy()
        feed = {"tokens": tokens.numpy(), "segments": segments.numpy()}
        found = session.run(
            None, feed | ({} if features is None else {"features": features.numpy()})
        )[0]
        assert np.abs(found - expected).max() < 1e-5


@pytest.mark.parametrize("family", ["deberta-v2", "electra", "modernbert", "mpnet", "roberta"])
def test_the_file_of_each_family_returns_what_the_model_returns(
    tmp_path: Path, family: str
) -> None:
    encoder = draw_encoder(tmp_path / "encoder", family)
    depth = 0 if family == "deberta-v2" else 1  # with its convolution in the upper part
    predictor = ensemble_of(tmp_path / "e", encoder, [save(tmp_path / "a", encoder, depth=depth)])
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


def test_a_model_that_encodes_separately_is_exported_too(distilbert: Path, tmp_path: Path) -> None:
    more = {"separate": True, "layer_mean": True, "depth": 3}
    saved = save(tmp_path / "a", distilbert, branch=True, **more)
    predictor = ensemble_of(tmp_path / "e", distilbert, [saved])
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
