"""Export of a trained encoder: python -m models.export_encoder --model FOLDER --output FOLDER.

The folder that it writes is an encoder like any other: train on a large data set first, then start
from what was learned there (intermediate tuning, Phang et al., 2018).
"""

from __future__ import annotations

import argparse
import shlex
import shutil
import sys
import tempfile
from pathlib import Path

from torch import Tensor

from measures.addresses import script, user_path
from measures.command_line import run_command
from models.checkpoint import (
    CheckpointError,
    encoding_of,
    find_encoder,
    load_classifier,
    read_card,
)
from models.encoder import EncoderPart
from models.encoder_files import (
    TOKENIZER,
    TOKENIZER_CONFIG,
    VOCABULARY,
    EncoderError,
    read_encoder_info,
)
from models.ensemble import find_saved
from models.families import FAMILIES, Family

_OF_THE_TOKENIZER = (TOKENIZER, TOKENIZER_CONFIG, VOCABULARY)


def export_encoder(saved: Path, output: Path) -> int:
    """Write the encoder of a saved classifier with its trained layers; return their number.

    Args:
        saved: Folder of a saved classifier, with its encoder's in ``encoder`` beside or above it.
        output: Folder to write; it appears when it is whole.

    Raises:
        CheckpointError: If the classifier cannot be loaded, trained no layer, or
            ``output`` exists.
        EncoderError: If its encoder cannot be loaded.
    """
    from transformers import AutoModel

    from models.pretrained import load_pretrained, require_weights

    if output.exists():
        raise CheckpointError(f"{output}: exists already; give a folder that does not")
    card, folder = read_card(saved), find_encoder(saved)
    info, depth = read_encoder_info(folder), card["encoder"]["depth"]
    if depth == info.layers:
        raise CheckpointError(
            f"{saved}: all {depth} layers were frozen, so its encoder is the one that it began "
            f"with ({folder}); train some, as with --set freezing=some"
        )
    upper = load_classifier(saved, folder).upper
    model, absent = load_pretrained(AutoModel, info)
    absent = [name for name in absent if not name.startswith("pooler.")]  # it is never used
    require_weights(info, absent)
    trained = trained_weights(upper, FAMILIES[info.architecture], depth)
    model.load_state_dict(model.state_dict() | trained)
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=f".{output.name}-") as scratch:
        beside = Path(scratch) / "encoder"
        model.save_pretrained(beside)
        for name in _OF_THE_TOKENIZER:
            if (info.folder / name).is_file():
                shutil.copy(info.folder / name, beside)
        read_encoder_info(beside)  # raises if it is not an encoder
        beside.rename(output)
    return info.layers - depth


def trained_weights(upper: EncoderPart, family: Family, depth: int) -> dict[str, Tensor]:
    """Return the weights of the trained part by their names in the library's own model.

    Args:
        upper: Trained part of a classifier.
        family: Family of the encoder.
        depth: Number of layers below that part.
    """
    found = {}
    for name, weight in upper.state_dict().items():
        part, _, rest = name.partition(".")
        if part == "layers":
            number, _, rest = rest.partition(".")
            owner, own = f"{family.layers}.{depth + int(number)}", rest
        elif part == "shared":
            if upper.embeddings is None:  # it stayed frozen
                continue
            owner, own = str(family.shared), rest
        else:
            owner, own = "embeddings", rest
        path, _, joined = family.joined or ("", "", "")
        if joined and own.startswith(f"{joined}."):
            found[f"{path}{own.removeprefix(joined)}"] = weight
        else:
            found[f"{owner}.{own}"] = weight
    return found


def _find_classifier(folder: Path) -> Path:
    """Return the folder of the classifier in a folder, or of the best one below it.

    Raises:
        CheckpointError: If there is none, or an ensemble.
    """
    members = find_saved(folder).members
    if len(members) > 1:
        raise CheckpointError(
            f"{folder}: must hold one classifier, got an ensemble of {len(members)}; name one of "
            f"them, as {members[0]}"
        )
    return members[0]


def main() -> int:
    """Write the folder of the command line; return 0 if it was written, 2 if not."""
    parser = argparse.ArgumentParser(
        prog="python -m models.export_encoder",
        description="Write the encoder of a trained classifier as a folder that --encoder takes.",
        allow_abbrev=False,
    )
    text = "folder of a saved model that trained some layers, of its trial, or of a grid's launch"
    parser.add_argument("--model", type=user_path, required=True, help=text)
    parser.add_argument("--output", type=user_path, required=True, help="folder to write")
    args = parser.parse_args()
    try:
        saved = _find_classifier(args.model)
        layers = export_encoder(saved, args.output)
        encoding = encoding_of(read_card(saved))
    except (CheckpointError, EncoderError, OSError) as error:
        print(f"export_encoder.py: error: {error}", file=sys.stderr)
        return 2
    run_grid = shlex.quote(script("tuning/run_grid.py"))
    if saved != args.model:
        print(f"Model: {saved}, the best in {args.model} by validation F1")
    were = "layer was" if layers == 1 else "layers were"
    print(f"{args.output}: {layers} {were} trained, with encoding: {encoding}")
    print(
        f"Next: python {run_grid} --encoder {shlex.quote(str(args.output))} "
        f"--set encoding={encoding}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main))
