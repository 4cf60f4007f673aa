"""Guards the numbers of weights: those of the files are those of the model that is loaded."""

from pathlib import Path

import pytest
from torch import nn

from models.classifier import Classifier
from models.encoder import load_encoder
from models.encoder_files import read_encoder_info
from models.families import FAMILIES
from models.parameter_counts import encoder_parameters, trained_parameters
from tests.models.drawn_encoders import draw_encoder
from tests.models.published_forms import shard

WIDTH, INNER = 12, 20  # of the fixture's encoder
LAYER = 4 * (WIDTH**2 + WIDTH) + (2 * WIDTH * INNER + INNER + WIDTH) + 2 * 2 * WIDTH


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_the_weights_in_the_files_are_those_of_the_loaded_encoder(
    tmp_path: Path, name: str
) -> None:
    folder = draw_encoder(tmp_path, name)
    _, whole = load_encoder(folder, 0)
    loaded = sum(weight.numel() for weight in whole.parameters())
    assert encoder_parameters(read_encoder_info(folder)) == loaded
    shard(folder)
    assert encoder_parameters(read_encoder_info(folder)) == loaded


def test_frozen_layers_are_not_trained(distilbert: Path) -> None:
    lower, upper = load_encoder(distilbert, 2)
    head = nn.Linear(WIDTH, 2)
    counts = trained_parameters(Classifier(lower, upper, head, branch=nn.Linear(3, 2)))
    own = (WIDTH + 1) * 2 + (3 + 1) * 2
    assert counts == {"head_parameters": own, "trained_parameters": own + LAYER}
