"""One pretraining as the user sees it: start or resume, train, write the encoder's folder."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from rich.console import Console

from measures.addresses import script
from models.encoder_files import CONFIG
from models.masked_language_model import MaskedLanguageModel, build_model, load_model
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
from tuning.tracking.journal import Journal, JournalError, count_delivered
from tuning.tracking.launch_folder import (
    LaunchError,
    LaunchSettings,
    is_running,
    lock_launch,
    make_output,
)
from tuning.tracking.launch_log import LaunchLog
from tuning.tracking.record import delivering
from tuning.tracking.resume import launch_precision, resume_command

_STATE = "state"
_DELIVERY_SECONDS = 10.0  # wait for MLflow before an abandoned training is removed


def run(plan: Plan, options: PretrainingOptions, console: Console) -> int:
    """Train the encoder, write it into ``--output`` and return 0.

    Raises:
        LaunchError: If the folder is in use, or holds another training.
        CorpusError, EncoderError: If text or encoder cannot be used; a new training leaves no
            files then.
        DivergedError: If a gradient is not finite.
        DamagedError: If the state of an interrupted training was altered.
        TrackingError: If the MLflow store can never be used.
        DiskError, JournalError: If the disk is full or cannot be written.
    """
    output = options.output
    settings = _choose_folder(options)
    with lock_launch(settings.folder), _remove_if_unused(settings):
        log = LaunchLog(Journal(settings.folder))
        wanted = plan.recipe.precision
        precision = launch_precision(wanted, log, settings.cache, console).trained
        # before all else, because it refuses to resume another training
        open_log(log, plan, settings, precision)
        console.print("Preparing the text", highlight=False)
        # a run that crashed before it logged its end may have moved the encoder already
        moved = settings.resumed and (output / CONFIG).is_file()
        tokenizer = make_tokenizer(plan, output if moved else settings.folder / "encoder")
        texts = make_texts(plan, tokenizer, settings.folder)
        model = _make_model(plan, tokenizer.get_vocab_size(), console)
        start_run(log, plan, texts, settings, precision)
        state = StoragePath(str(settings.folder / _STATE))
        runner = PhaseRunner(texts, model, precision=precision, state=state, log=log)
        with handle_signals(), delivering(log, settings, console):
            _train(runner, console)
            publish(plan, runner, settings, output, console)
    if count_delivered(log.journal, settings.tracking_uri) == len(log.journal.entries):
        shutil.rmtree(settings.folder)
    command = shlex.join(["python", script("tuning/run_grid.py"), "--encoder", str(output)])
    lines = f"Encoder: {output}\nNext:\n  {command}"
    console.print(lines, highlight=False, markup=False, soft_wrap=True)
    return 0


def _choose_folder(options: PretrainingOptions) -> LaunchSettings:
    """Return the settings of the launch, after creating its folder beside ``--output``.

    An interrupted training in that folder is removed if ``--overwrite`` was given.

    Raises:
        LaunchError: If a folder is in use, or an interrupted training is there and neither
            ``--resume`` nor ``--overwrite`` was given.
    """
    check_output(options)
    folder = work_folder(options.output)
    if folder.is_dir() and options.overwrite:
        _abandon(folder, options.tracking_uri)
    make_output(folder)
    return LaunchSettings(
        run_name=folder.name,
        output=folder.parent,
        shared_output=StoragePath(str(folder.parent)),
        tracking_uri=options.tracking_uri,
        artifacts=options.artifacts,
        cache=options.cache,
        git_commit=git_commit(),
        resumed=options.resume,
    )


def check_output(options: PretrainingOptions) -> None:
    """Refuse an output folder that cannot be used as the options ask.

    Raises:
        LaunchError: If a folder is in use, or an interrupted training is there and neither
            ``--resume`` nor ``--overwrite`` was given, or there is none to resume.
    """
    output = options.output
    if not output.name:
        raise LaunchError(f"--output: must be a new folder, got {output}")
    folder = work_folder(output)
    interrupted = folder.is_dir()
    if interrupted and is_running(folder):
        raise LaunchError(f"{folder}: another program trains there; wait for it")
    if (
        output.exists()
        and not (interrupted and options.resume)
        and (not output.is_dir() or any(output.iterdir()))
    ):
        raise LaunchError(f"--output: {output} is in use; name another folder, or remove it")
    if interrupted and not options.resume and not options.overwrite:
        raise LaunchError(
            f"{folder}: has an interrupted training; --resume continues it, --overwrite starts "
            "again"
        )
    if options.resume and not interrupted:
        raise LaunchError(
            f"--resume: {folder} does not exist, there is no training to resume; start without it"
        )


def _abandon(folder: Path, uri: str) -> None:
    """Remove an interrupted training; MLflow, if it answers, gets its run closed.

    Raises:
        LaunchError: If another program uses the folder.
    """
    with lock_launch(folder), suppress(JournalError):  # one with a damaged journal is removed too
        log = LaunchLog(Journal(folder))
        if log.journal.entries:
            log.give_up("begun anew")
            delivery = Delivery(log.journal, uri)
            delivery.start()
            delivery.close(_DELIVERY_SECONDS)
    shutil.rmtree(folder)


def work_folder(output: Path) -> Path:
    """Return the folder in which the encoder is trained until it is complete."""
    return output.with_name(f"{output.name}.under-way")


@contextmanager
def _remove_if_unused(settings: LaunchSettings) -> Iterator[None]:
    """Remove the folder of a new launch if an error ends the block before there is a state."""
    try:
        yield
    except BaseException:
        resumable = settings.resumed or (settings.folder / _STATE).exists()
        if not resumable and settings.folder.is_dir():  # an unusable store has removed it already
            shutil.rmtree(settings.folder)
        raise


def _make_model(plan: Plan, vocabulary: int, console: Console) -> MaskedLanguageModel:
    """Return the model before training: from scratch, or the encoder of ``--init``."""
    if plan.init is None:
        recipe = plan.recipe
        near = recipe.attention == "near"
        return build_model(vocabulary, recipe.shape.model_dump(), recipe.seed, near=near)
    model, head_is_new = load_model(plan.init.folder, plan.recipe.seed)
    if head_is_new:
        sentence = "has no head for masked word pieces; one with random weights is added"
        notify(console, f"{plan.init.name} {sentence}")
    return model


def _train(runner: PhaseRunner, console: Console) -> None:
    """Train all phases; if that ends before the first point, close the run: it cannot resume."""
    try:
        runner.run(console)
    except BaseException:
        if not runner.points:
            runner.log.give_up("ended before its first point")
        raise


def resume_hint(options: PretrainingOptions) -> str:
    """Return the message for a user who interrupted the training with Ctrl-C."""
    if not (work_folder(options.output) / _STATE).exists():
        return "Interrupted before the first evaluation: there is nothing to resume"
    return f"Interrupted; to resume: {resume_command()}"
