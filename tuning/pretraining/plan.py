"""From a pretraining recipe to everything that is known before training; imports no torch."""

from __future__ import annotations

import re
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
_OF_SCRATCH = re.compile(r"(shape\.\w+|vocabulary|attention)=")


@dataclass(frozen=True, kw_only=True, slots=True)
class PretrainingOptions:
    """What the command line of ``pretrain.py`` asks for.

    ``init`` and ``adapt`` name an encoder and a data set; ``config`` is a recipe, or None for the
    shipped one; ``output`` is the absolute folder of the encoder that is made.
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
    resume: bool
    overwrite: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """A recipe with its text found and read; ``init`` is None from scratch."""

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
        """Return the longest sequence that the encoder takes."""
        return self.encoder.max_tokens if self.encoder else self.recipe.shape.positions

    def describe(self) -> dict[str, str]:
        """Return the plan in words, a row each."""
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


def make_plan(options: PretrainingOptions) -> Plan:
    """Return what the options of ``pretrain.py`` ask for.

    Raises:
        ConfigError, CorpusError, DataError, EncoderError, SourceError, OSError: If it cannot be
            done, with what, why and the way out.
    """
    _check_words(options)
    scratch = options.init == SCRATCH
    shipped = "pretrain_embedded.yaml" if scratch else "pretrain.yaml"
    path = options.config or ROOT / "experiments" / shipped
    recipe = load_recipe(path, options.overrides)
    if scratch and recipe.sequence_length > recipe.shape.positions:
        rule = f"must be at most shape.positions, {recipe.shape.positions}"
        raise ConfigError(str(path), [f"sequence_length: {rule}, got {recipe.sequence_length}"])
    init = None if options.init == SCRATCH else find_encoder(options.init, strict=True)
    encoder = _trainable(init.folder, recipe) if init else None
    corpus = pair_text = adapt = None
    paragraphs = 0
    if options.corpus:
        corpus = open_corpus(options.corpus, options.heldout, recipe.heldout_fraction)
        paragraphs = sum(1 for _ in corpus.training())
        sum(1 for _ in corpus.heldout())  # its errors come now
    if options.adapt is not None:
        adapt = find_data(options.adapt, read_locations(), strict=True)
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


def _check_words(options: PretrainingOptions) -> None:
    """Refuse words that do not go together.

    Raises:
        ConfigError: With all of them. A recipe may have what only serves from scratch, a change
            of it has no place where an encoder brings its own.
    """
    problems = []
    if not options.corpus and options.adapt is None:
        problems.append("nothing to train on: give --corpus, --adapt or both")
    elif not options.corpus and options.init == SCRATCH:
        problems.append("--init scratch: needs --corpus: a vocabulary is made of its text")
    if options.heldout and not options.corpus:
        problems.append("--heldout: needs --corpus, of which it is a part")
    if options.init != SCRATCH:
        rule = f"is of an encoder from scratch; --init {options.init} has its own"
        problems += [f"--set {o}: {rule}" for o in options.overrides if _OF_SCRATCH.match(o)]
    if problems:
        raise ConfigError("pretrain.py", problems)


def _trainable(folder: Path, recipe: Recipe) -> EncoderInfo:
    """Return the sizes of an encoder that this can train.

    Raises:
        EncoderError: If it is no DistilBERT, or takes no sequences of the recipe's length.
    """
    info = read_encoder_info(folder)
    if info.architecture != "distilbert":
        raise EncoderError(
            f"{folder}: --init must be a distilbert, which is what this trains, got a "
            f"{info.architecture}"
        )
    if recipe.sequence_length > info.max_tokens:
        raise EncoderError(
            f"{folder}: takes {info.max_tokens} tokens, sequence_length must be at most that, "
            f"got {recipe.sequence_length}"
        )
    return info


def print_plan(plan: Plan, console: Console) -> None:
    """Print what will be trained on what."""
    print_rows(console, plan.describe())
