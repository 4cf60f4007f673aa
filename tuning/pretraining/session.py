"""One pretraining as the user sees it: its folder, its progress, its encoder at the end."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from rich.console import Console

from models.encoder_files import CONFIG
from models.masked_language_model import MaskedLanguageModel, build_model, load_model
from models.precision import choose_precision
from tuning.pretraining.phase_texts import make_texts, make_tokenizer
from tuning.pretraining.phases import PhaseRunner
from tuning.pretraining.plan import Plan, PretrainingOptions
from tuning.pretraining.publishing import publish
from tuning.pretraining.record import open_log, start_run
from tuning.system.console import notify
from tuning.system.project import git_commit
from tuning.system.signals import handle_signals
from tuning.system.storage_path import StoragePath
from tuning.tracking.delivery import Delivery
from tuning.tracking.journal import Journal, JournalError, read_delivered
from tuning.tracking.launch_folder import (
    LaunchError,
    LaunchSettings,
    is_running,
    lock_launch,
)
from tuning.tracking.launch_log import LaunchLog
from tuning.tracking.record import delivering
from tuning.tracking.resume import resume_command

_STATE = "state"
_SECONDS_TO_TELL = 10.0  # for MLflow to hear of what is given up; it is removed all the same


def run(plan: Plan, options: PretrainingOptions, console: Console) -> int:
    """Return 0 after writing the encoder into ``--output``.

    Raises:
        LaunchError: If the folder is in use, or the training there is another one.
        CorpusError, EncoderError: If the text or the encoder does not do; nothing is left then.
        DamagedError: If what a training that was cut off left was altered.
        DiskError, JournalError: If the disk is full or cannot be written.
    """
    output = options.output
    settings = _choose_folder(options)
    with lock_launch(settings.folder), _left_clean(settings):
        precision = choose_precision(plan.recipe.precision)
        log = open_log(plan, settings, precision)  # before anything that is there is gone on with
        console.print("Preparing the text", highlight=False)
        moved = settings.resumed and (output / CONFIG).is_file()  # and its end was not logged
        tokenizer = make_tokenizer(plan, output if moved else settings.folder / "encoder")
        texts = make_texts(plan, tokenizer, settings.folder)
        model = _make_model(plan, tokenizer.get_vocab_size(), console)
        start_run(log, plan, texts, settings, precision)
        state = StoragePath(str(settings.folder / _STATE))
        course = PhaseRunner(plan.phases, texts, model, precision=precision, state=state, log=log)
        with handle_signals(), delivering(log, settings, console):
            try:
                course.run(console)
            except BaseException:
                if not course.points:  # there is nothing to resume
                    log.give_up("ended before its first point")
                raise
            publish(plan, course, settings, output, console)
    if read_delivered(settings.folder) == len(Journal(settings.folder).entries):
        shutil.rmtree(settings.folder)
    lines = f"Encoder: {output}\nNext:\n  python tuning/run_grid.py --encoder {output}"
    console.print(lines, highlight=False, markup=False, soft_wrap=True)
    return 0


def _choose_folder(options: PretrainingOptions) -> LaunchSettings:
    """Return where to work until the encoder is whole: beside its place, in a folder that is made.

    Raises:
        LaunchError: If the place is in use, or holds a training that was cut off and the user
            has not said what to do.
    """
    output = options.output
    if not output.name:
        raise LaunchError(f"--output: must be a folder of its own, got {output}")
    folder = work_folder(output)
    begun = folder.is_dir()
    if begun and is_running(folder):
        raise LaunchError(f"{folder}: another program is at work there; wait for it")
    if (
        output.exists()
        and not (begun and options.resume)
        and (not output.is_dir() or any(output.iterdir()))
    ):
        raise LaunchError(f"--output: {output} is in use; name another folder, or remove it")
    if begun and not options.resume and not options.overwrite:
        raise LaunchError(
            f"{folder}: a training was cut off there; --resume goes on with it, --overwrite "
            "begins anew"
        )
    if options.resume and not begun:
        raise LaunchError(f"--resume: {folder} is not there; start without it")
    if begun and options.overwrite:
        _give_up(folder, options.tracking_uri)
    folder.mkdir(parents=True, exist_ok=True)
    return LaunchSettings(
        run_name=folder.name,
        output=folder.parent,
        shared_output=StoragePath(str(folder.parent)),
        tracking_uri=options.tracking_uri,
        artifacts=options.artifacts,
        git_commit=git_commit(),
        resumed=options.resume,
    )


def _give_up(folder: Path, uri: str) -> None:
    """Remove a training that was cut off, and tell MLflow, if it answers, that it ended.

    Raises:
        LaunchError: If another program is at work there.
    """
    with lock_launch(folder), suppress(JournalError):  # a damaged one is removed too
        log = LaunchLog(Journal(folder))
        if log.journal.entries:
            log.give_up("begun anew")
            delivery = Delivery(log.journal, uri)
            delivery.start()
            delivery.close(_SECONDS_TO_TELL)
    shutil.rmtree(folder)


def work_folder(output: Path) -> Path:
    """Return where the training of an encoder keeps what it has until that is whole."""
    return output.with_name(f"{output.name}.under-way")


@contextmanager
def _left_clean(settings: LaunchSettings) -> Iterator[None]:
    """Remove a folder that is new and has nothing to resume when an error ends what is inside."""
    try:
        yield
    except BaseException:
        begun = settings.resumed or (settings.folder / _STATE).exists()
        if not begun and settings.folder.is_dir():  # a store that is of no use has removed it
            shutil.rmtree(settings.folder)
        raise


def _make_model(plan: Plan, vocabulary: int, console: Console) -> MaskedLanguageModel:
    """Return the model to begin with."""
    if plan.init is None:
        recipe = plan.recipe
        near = recipe.attention == "near"
        return build_model(vocabulary, recipe.shape.model_dump(), recipe.seed, near=near)
    model, head_is_new = load_model(plan.init.folder, plan.recipe.seed)
    if head_is_new:
        sentence = "has no head for masked pieces; one with random weights is trained"
        notify(console, f"{plan.init.name} {sentence}")
    return model


def resume_hint(options: PretrainingOptions) -> str:
    """Return what to tell the user of a training that Ctrl-C ended."""
    if not (work_folder(options.output) / _STATE).exists():
        return "Interrupted before the first point: there is nothing to resume"
    return f"Interrupted; to go on: {resume_command()}"
