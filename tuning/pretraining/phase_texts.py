"""The tokenizer, and each phase's text as sequences to train on and to score on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tokenizers import Tokenizer

from models.encoder_files import TOKENIZER, EncoderError
from models.tokens import load_tokenizer
from tuning.pretraining.corpus import CorpusError
from tuning.pretraining.masking import PackedText
from tuning.pretraining.plan import Plan
from tuning.pretraining.recipe import Recipe
from tuning.pretraining.wordpiece import (
    TOKENIZER_CONFIG,
    encode_stream,
    save_tokenizer,
    train_word_pieces,
    vocabulary_of,
)
from tuning.system.atomic_files import atomic_copy


@dataclass(frozen=True, kw_only=True, slots=True)
class PhaseText:
    """What a phase trains on, and what it is scored on."""

    training: PackedText
    heldout: PackedText


def make_tokenizer(plan: Plan, folder: Path) -> Tokenizer:
    """Return the tokenizer, after writing it into ``folder``, which is made.

    Raises:
        CorpusError: If the text does not support the vocabulary.
        EncoderError: If that of the encoder to begin with cannot be read, lacks a special token
            or has more pieces than the encoder.
        DiskError: If the disk is full or cannot be written.
    """
    folder.mkdir(exist_ok=True)
    if plan.init is not None:
        for name in (TOKENIZER, TOKENIZER_CONFIG):
            if (plan.init.folder / name).is_file() and not (folder / name).exists():
                atomic_copy(plan.init.folder / name, folder / name)
    elif not (folder / TOKENIZER_CONFIG).exists():  # the last to be written
        assert plan.corpus is not None, "checked with the arguments"
        trained = train_word_pieces(plan.corpus.training, plan.recipe.vocabulary)
        save_tokenizer(folder, trained, plan.positions)
    tokenizer = load_tokenizer(folder)[0]
    size = vocabulary_of(tokenizer).size
    if plan.encoder is not None and size > plan.encoder.vocabulary:
        raise EncoderError(
            f"{folder / TOKENIZER}: has {size} word pieces, and the encoder embeds "
            f"{plan.encoder.vocabulary}; resize_token_embeddings makes room for those added"
        )
    return tokenizer


def make_texts(plan: Plan, tokenizer: Tokenizer, folder: Path) -> dict[str, PhaseText]:
    """Return the text of each phase, as streams that lie in ``folder``.

    Raises:
        CorpusError: If one has too little text for a batch.
        DiskError: If the disk is full or cannot be written.
    """
    parts: dict[str, tuple[Iterable[str], Iterable[str]]] = {}
    if plan.corpus is not None:
        parts["corpus"] = plan.corpus.training(), plan.corpus.heldout()
    if plan.pair_text is not None:
        parts["adaptation"] = plan.pair_text.training, plan.pair_text.heldout
    texts = {}
    for name, (training, heldout) in parts.items():
        texts[name] = PhaseText(
            training=_pack(training, tokenizer, folder / f"{name}.pieces", plan),
            heldout=_pack(heldout, tokenizer, folder / f"{name}-heldout.pieces", plan),
        )
        _check(name, texts[name], plan.phases[name].batch_size, plan.recipe)
    return texts


def _pack(parts: Iterable[str], tokenizer: Tokenizer, path: Path, plan: Plan) -> PackedText:
    recipe = plan.recipe
    return PackedText(
        encode_stream(parts, tokenizer, path),
        vocabulary_of(tokenizer),
        length=recipe.sequence_length,
        positions=plan.positions,
        even_starts=recipe.starts == "even",
        mask_fraction=recipe.mask_fraction,
        whole_words=recipe.masking == "words",
        seed=recipe.seed,
    )


def _check(name: str, text: PhaseText, batch_size: int, recipe: Recipe) -> None:
    length = recipe.sequence_length
    for what, found, needed in (
        ("to train on", text.training.sequences, batch_size),
        ("held out", text.heldout.sequences, 1),
    ):
        if found < needed:
            raise CorpusError(
                f"{name}: the text {what} must fill {needed} sequences of {length} tokens, got "
                f"{max(found, 0)}; give more text, or lower {name}.batch_size or sequence_length"
            )
