"""What comes of a pretraining: an encoder's folder with its card, moved into place when whole."""

from __future__ import annotations

import shutil
from pathlib import Path

from rich.console import Console
from safetensors import SafetensorError

from models.masked_language_model import load_model, save_model
from tuning.launch_log import PARENT
from tuning.launches import Settings
from tuning.pretraining_card import CARD, CURVE, write_card
from tuning.pretraining_course import Course
from tuning.pretraining_plan import Plan
from tuning.whole_files import DiskError


def publish(
    plan: Plan, course: Course, settings: Settings, output: Path, console: Console
) -> None:
    """Write the encoder beside its place, score what was written, and move it there.

    Args:
        plan: Of the training.
        course: At its end.
        settings: Of the folder to work in.
        output: Where the encoder goes; absent, empty, or put there before a crash.
        console: Says the scores.

    Raises:
        DiskError: If the disk is full or cannot be written.
    """
    folder = settings.folder / "encoder"
    if not folder.exists():  # it was moved, and the end was not logged
        return course.log.settle(PARENT, _summary(course, _score(output, course)))
    try:
        save_model(folder, course.model)
    except SafetensorError as error:
        raise DiskError(f"{folder}: cannot be written: {error}") from error
    scores = _score(folder, course)
    write_card(folder, plan, course, scores)
    for name in (CARD, CURVE):  # the log reads them here, whenever it can
        shutil.copyfile(folder / name, settings.folder / name)
        course.log.keep(settings.folder / name, "")
    if output.is_dir():
        output.rmdir()
    folder.rename(output)
    course.log.settle(PARENT, _summary(course, scores))
    console.print(
        f"Held out: loss {scores['heldout_loss']:.3f} nats a masked piece, accuracy "
        f"{scores['heldout_accuracy']:.3f}, of all held-out text, from the files written",
        highlight=False, soft_wrap=True,
    )  # fmt: skip
    return None


def _score(folder: Path, course: Course) -> dict[str, float]:
    """Return the scores of the encoder in ``folder`` on all held-out text of the last phase."""
    model, _ = load_model(folder, seed=0)
    course.model.load_state_dict(model.state_dict())  # as it was saved, in float16
    name = list(course.phases)[-1]
    heldout = course.texts[name].heldout
    return course.prepare(name).score(heldout, heldout.sequences)


def _summary(course: Course, scores: dict[str, float]) -> dict[str, float]:
    return {
        **scores,
        "tokens": sum(point["tokens"] for point in course.points),
        "seconds": sum(point["seconds"] for point in course.points),
        "steps": sum(point["steps"] for point in course.points),
    }
