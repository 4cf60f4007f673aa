"""The plan of a pretraining: recipe, text and encoder, checked before training, without torch."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from models.encoder_files import EncoderError, EncoderInfo, read_encoder_info
from tuning.config.experiment import ConfigError
from tuning.data.sources import Source, find_data, find_encoder, read_locations
from tuning.pretraining.corpus import Corpus, PairText, open_corpus, read_pair_text
from tuning.pretraining.recipe import Phase, Recipe, load_recipe
from tuning.system.console import print_rows
from tuning.system.project import ROOT

SCRATCH = "scratch"
_SCRATCH_ONLY = re.compile(r"(shape(\.\w+)?|vocabulary|attention)=")


@dataclass(frozen=True, kw_only=True, slots=True)
class PretrainingOptions:
    """The options of ``pretrain.py``.

    Args:
        corpus: Files of text to train on.
        heldout: Files of text to score on.
        init: Encoder to start from: ``scratch``, ``embedded``, a folder, or a name on the hub.
        adapt: Data set whose training pairs are trained on; None for no adaptation.
        config: File of the recipe; None for the shipped one.
        overrides: Changes of the recipe, as ``key=value``.
        output: Absolute path of the encoder's folder.
        tracking_uri: URI of the MLflow store.
        artifacts: Folder of MLflow's artifacts.
        cache: Folder of downloads, and of what was measured on this machine.
        resume: Whether an interrupted training is resumed.
        overwrite: Whether an interrupted training is removed.
    """

    corpus: list[Path]
    heldout: list[Path]
    init: str
    adapt: str | None
    config: Path | None
    overrides: list[str]
    output: Path
    tracking_uri: str
    artifacts: Path
    cache: Path
    resume: bool
    overwrite: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """A recipe with the inputs that it needs.

    Args:
        recipe: The recipe.
        corpus: Text of the phase ``corpus``; None without that phase.
        init: Encoder to start from; None from scratch.
        encoder: Sizes of that encoder; None from scratch.
        adapt: Data set of the phase ``adaptation``; None without that phase.
        pair_text: Text of that data set.
        paragraphs: Number of paragraphs of the corpus to train on.
    """

    recipe: Recipe
    corpus: Corpus | None
    init: Source | None
    encoder: EncoderInfo | None
    adapt: Source | None
    pair_text: PairText | None
    paragraphs: int

    @property
    def phases(self) -> dict[str, Phase]:
        """Return the phases by name, in order."""
        wanted = {"corpus": self.corpus is not None, "adaptation": self.adapt is not None}
        return {name: getattr(self.recipe, name) for name, asked in wanted.items() if asked}

    @property
    def positions(self) -> int:
        """Return the number of positions of the encoder: its longest sequence, in tokens."""
        return self.encoder.max_tokens if self.encoder else self.recipe.shape.positions

    def describe(self) -> dict[str, str]:
        """Return the rows of the plan as the user reads them, by name."""
        recipe, rows = self.recipe, {"recipe": self.recipe.name}
        shape = recipe.shape
        rows["encoder"] = (
            f"{self.init.name}: {self.encoder.layers} layers of width {self.encoder.width}"
            if self.init and self.encoder
            else f"from scratch: {shape.layers} layers of width {shape.width}, "
            f"{recipe.vocabulary} word pieces"
        )
        if self.corpus is not None:
            files = ", ".join(path.name for path in self.corpus.files)
            rows["corpus"] = f"{self.paragraphs:,} paragraphs to train on: {files}"
        if self.adapt is not None and self.pair_text is not None:
            rows["adaptation"] = (
                f"{self.pair_text.pairs:,} pairs of the training split of {self.adapt.name}, both "
                "orders, no labels"
            )
        for name, phase in self.phases.items():
            rows[f"{name} budget"] = _budget(phase, recipe.sequence_length)
        return rows


def _budget(phase: Phase, length: int) -> str:
    if phase.steps is None:
        return f"{phase.minutes:g} minutes"
    tokens = phase.steps * phase.batch_size * length
    return f"{phase.steps} steps of {phase.batch_size} x {length}: {tokens / 1e6:.1f}M tokens"


def make_plan(options: PretrainingOptions, console: Console | None = None) -> Plan:
    """Return the plan for the options of ``pretrain.py``, after reading all of the text once.

    Args:
        options: Options of the command line.
        console: Console for the progress of downloads; None shows nothing.

    Raises:
        ConfigError: If options or recipe are wrong or do not go together.
        CorpusError, DataError: If the text cannot be used.
        EncoderError: If the encoder cannot be trained.
        SourceError, OSError: If encoder, data set or recipe cannot be found or read.
    """
    _check_options(options)
    scratch = options.init == SCRATCH
    shipped = "pretrain_embedded.yaml" if scratch else "pretrain.yaml"
    path = options.config or ROOT / "experiments" / shipped
    recipe = load_recipe(path, options.overrides)
    if scratch and recipe.sequence_length > recipe.shape.positions:
        rule = f"must be at most shape.positions, {recipe.shape.positions}"
        raise ConfigError(str(path), [f"sequence_length: {rule}, got {recipe.sequence_length}"])
    init = None if scratch else find_encoder(options.init, strict=True, console=console)
    encoder = _trainable(init.folder, recipe) if init else None
    corpus = pair_text = adapt = None
    paragraphs = 0
    if options.corpus:
        corpus = open_corpus(options.corpus, options.heldout, recipe.heldout_fraction)
        paragraphs = sum(1 for _ in corpus.training())
        sum(
            1 for _ in corpus.heldout()
        )  # reads the file now, so that its errors come before training
    if options.adapt is not None:
        adapt = find_data(options.adapt, read_locations(), strict=True, console=console)
        pair_text = read_pair_text(adapt.folder, recipe.heldout_fraction, recipe.seed)
    return Plan(
        recipe=recipe,
        corpus=corpus,
        init=init,
        encoder=encoder,
        adapt=adapt,
        pair_text=pair_text,
        paragraphs=paragraphs,
    )


def _check_options(options: PretrainingOptions) -> None:
    """Refuse options that do not go together.

    A recipe may have fields that only matter from scratch, but changing them for an encoder that
    has its own is refused.

    Raises:
        ConfigError: With all problems.
    """
    problems = []
    if not options.corpus and options.adapt is None:
        problems.append(
            "--corpus, --adapt: must have one of them or both, got neither: there is no text"
        )
    elif not options.corpus and options.init == SCRATCH:
        problems.append(
            "--init scratch: needs --corpus, because the vocabulary is made from its text"
        )
    if options.heldout and not options.corpus:
        problems.append("--heldout: needs --corpus, which it is held out from")
    if options.init != SCRATCH:
        rule = f"belongs to an encoder from scratch; --init {options.init} has its own"
        refused = [change for change in options.overrides if _SCRATCH_ONLY.match(change)]
        problems += [f"--set {change}: {rule}" for change in refused]
    if problems:
        raise ConfigError("pretrain.py", problems)


def _trainable(folder: Path, recipe: Recipe) -> EncoderInfo:
    """Return the sizes of an encoder, after checking that it can be trained with this recipe.

    Raises:
        EncoderError: If it is not a DistilBERT, or has fewer positions than the recipe's
            sequences.
    """
    info = read_encoder_info(folder)
    if info.architecture != "distilbert":
        raise EncoderError(
            f"{folder}: --init must be a distilbert, the one architecture that is trained, "
            f"got a {info.architecture}"
        )
    if recipe.sequence_length > info.max_tokens:
        raise EncoderError(
            f"{folder}: takes {info.max_tokens} tokens, sequence_length must be at most that, "
            f"got {recipe.sequence_length}"
        )
    return info


def print_plan(plan: Plan, console: Console, log: Mapping[str, str]) -> None:
    """Print the encoder, the text, the budgets, and the rows on where the log is written."""
    print_rows(console, {**plan.describe(), **log})
