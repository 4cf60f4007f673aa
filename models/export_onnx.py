"""Export of a saved model to ONNX: python -m models.export_onnx --model FOLDER --output FILE.onnx.

Inputs are token ids and kinds of position, the output is probabilities. The extra ``onnx`` must be
installed.

Shapes: B pairs in the batch, T tokens of its longest row, F overlap features.
"""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn

from measures.addresses import user_path
from measures.command_line import run_command
from measures.overlap import FEATURES
from models.checkpoint import CheckpointError
from models.classifier import Classifier
from models.encoder_files import EncoderError
from models.heads import BiLstmAttentionHead
from models.predictor import Predictor
from models.segments import FIRST, SECOND, SECOND_SPECIAL, SPECIAL


class Probability(nn.Module):
    """A predictor's layers in float32, from token ids to probabilities.

    Args:
        predictor: Predictor whose layers are used, not copied.
    """

    def __init__(self, predictor: Predictor) -> None:
        super().__init__()
        self.lower = predictor.lower
        self.add_cosine = predictor.add_cosine
        self.members = nn.ModuleList(predictor.members)

    def forward(self, tokens: Tensor, segments: Tensor, features: Tensor | None = None) -> Tensor:
        """Return the mean of the members' probabilities, (B,).

        Args:
            tokens: Token ids, int (B, T).
            segments: Kinds of position from ``models.segments``, int (B, T).
            features: Features of each pair, float (B, F); unused without a branch.
        """
        states = tokens if self.lower is None else self.lower(tokens, segments)
        features = self.add_cosine(features, states, segments)
        found = []
        for part in self.members:
            member = cast(Classifier, part)
            logits = member.head(member.upper(states, segments), segments)
            if member.branch is not None:
                logits = logits + member.branch(features)
            found.append(logits.softmax(dim=-1)[:, 1])
        return torch.stack(found).mean(dim=0)


def export(predictor: Predictor, path: Path) -> None:
    """Write the model as ONNX, for batches of any size and length.

    The exported model scores a pair in the given order of its texts; for the mean of both orders,
    run it on both. The log levels of ``torch.onnx`` and ``onnxscript`` are set to errors.

    Args:
        predictor: Saved model.
        path: File to write.

    Raises:
        CheckpointError: If a head reads packed sequences, which ONNX does not support.
    """
    if any(isinstance(member.head, BiLstmAttentionHead) for member in predictor.members):
        raise CheckpointError("head: must not be bilstm_attention: ONNX has no packed sequences")
    for name in ("torch.onnx", "onnxscript"):  # they warn of packages that are not needed
        logging.getLogger(name).setLevel(logging.ERROR)
    model = Probability(predictor).eval()
    kinds = [SPECIAL, FIRST, FIRST, SPECIAL, SECOND, SECOND, SECOND, SPECIAL]
    if predictor.encoding == "separate":
        kinds[-1:] = [SECOND_SPECIAL]
        kinds.insert(4, SECOND_SPECIAL)
    segments = torch.tensor([kinds] * 3)
    example: list[Tensor] = [torch.ones_like(segments), segments]
    names = ["tokens", "segments"]
    batch, length = torch.export.Dim("batch", min=1), torch.export.Dim("length", min=5)
    shapes: list[dict[int, object]] = [{0: batch, 1: length}, {0: batch, 1: length}]
    if predictor.uses("overlap_features"):
        example.append(torch.zeros(3, FEATURES))
        names.append("features")
        shapes.append({0: batch})
    with torch.no_grad():
        program = torch.onnx.export(
            model, tuple(example), dynamo=True, verbose=False, input_names=names,
            output_names=["probability"], dynamic_shapes=tuple(shapes),
        )  # fmt: skip
    if program is None:
        raise CheckpointError("torch.onnx.export returned no program")
    program.save(path)


def main() -> int:
    """Write the file of the command line; return 0 if it was written, 2 if not."""
    parser = argparse.ArgumentParser(
        allow_abbrev=False,
        prog="python -m models.export_onnx",
        description="Write a saved model as ONNX.",
    )
    text = (
        "folder of a saved model, of its trial, or of a launch, whose best or whose ensemble it is"
    )
    parser.add_argument("--model", type=user_path, required=True, help=text)
    parser.add_argument("--output", type=user_path, required=True, help="ONNX file to write")
    args = parser.parse_args()
    try:
        export(Predictor(args.model), args.output)
    except ModuleNotFoundError as error:
        text = f"the package {error.name} is missing: pip install -e '.[onnx]'"
        print(f"export_onnx.py: error: {text}", file=sys.stderr)
        return 2
    except (CheckpointError, EncoderError, OSError) as error:
        print(f"export_onnx.py: error: {error}", file=sys.stderr)
        return 2
    print(args.output)
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main))
