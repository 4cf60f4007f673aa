"""The tokenizer of a pretraining, and the text of each phase as sequences of word pieces."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tokenizers import Tokenizer

from models.encoder_files import TOKENIZER, EncoderError
from models.tokens import load_tokenizer
from tuning.pretraining.corpus import CorpusError
from tuning.pretraining.masking import PackedText, SequenceOptions
from tuning.pretraining.plan import Plan
from tuning.pretraining.recipe import Phase, Recipe
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
    """A phase with the text that it trains on and the text that it is scored on."""

    phase: Phase
    training: PackedText
    heldout: PackedText


def make_tokenizer(plan: Plan, folder: Path) -> Tokenizer:
    """Return the tokenizer, after creating ``folder`` and writing the tokenizer into it.

    It is copied from the encoder that training starts from, or trained on the corpus.

    Raises:
        CorpusError: If the text has too few or too many word pieces for the vocabulary.
        EncoderError: If the encoder's tokenizer cannot be read, lacks a special token, or has
            more word pieces than the encoder.
        DiskError: If the disk is full or cannot be written.
    """
    folder.mkdir(exist_ok=True)
    if plan.encoder is not None:
        for name in (TOKENIZER, TOKENIZER_CONFIG):
            if (plan.encoder.folder / name).is_file() and not (folder / name).exists():
                atomic_copy(plan.encoder.folder / name, folder / name)
        if not (folder / TOKENIZER).exists():  # the encoder has vocab.txt
            load_tokenizer(plan.encoder.folder)[0].save(str(folder / TOKENIZER))
    elif not (folder / TOKENIZER_CONFIG).exists():  # the file that is written last
        assert plan.corpus is not None, "make_plan refuses scratch without a corpus"
        trained = train_word_pieces(plan.corpus.training, plan.recipe.vocabulary)
        save_tokenizer(folder, trained, plan.positions)
    tokenizer = load_tokenizer(folder)[0]
    size = vocabulary_of(tokenizer).size
    if plan.encoder is not None and size > plan.encoder.vocabulary:
        raise EncoderError(
            f"{folder / TOKENIZER}: has {size} word pieces, and the encoder embeds "
            f"{plan.encoder.vocabulary}; add the others with resize_token_embeddings of "
            "transformers"
        )
    return tokenizer


def make_texts(plan: Plan, tokenizer: Tokenizer, folder: Path) -> dict[str, PhaseText]:
    """Return each phase with its text, by name and in order, after writing it into ``folder``.

    Raises:
        CorpusError: If a phase has too little text for a batch.
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
            phase=plan.phases[name],
            training=_pack(training, tokenizer, folder / f"{name}.pieces", plan),
            heldout=_pack(heldout, tokenizer, folder / f"{name}-heldout.pieces", plan),
        )
        _check_size(name, texts[name], plan.recipe)
    return texts


def _pack(parts: Iterable[str], tokenizer: Tokenizer, path: Path, plan: Plan) -> PackedText:
    recipe = plan.recipe
    options = SequenceOptions(
        length=recipe.sequence_length,
        positions=plan.positions,
        even_starts=recipe.starts == "even",
        mask_fraction=recipe.mask_fraction,
        whole_words=recipe.masking == "words",
        seed=recipe.seed,
    )
    return PackedText(encode_stream(parts, tokenizer, path), vocabulary_of(tokenizer), options)


def _check_size(name: str, text: PhaseText, recipe: Recipe) -> None:
    """Refuse a phase whose text is too short.

    Raises:
        CorpusError: If the text to train on has no full batch, or the held-out text no sequence.
    """
    length = recipe.sequence_length
    for role, found, needed in (
        ("to train on", text.training.sequences, text.phase.batch_size),
        ("held out", text.heldout.sequences, 1),
    ):
        if found < needed:
            raise CorpusError(
                f"{name}: the text {role} must fill {needed} sequences of {length} tokens, got "
                f"{max(found, 0)}; add text, or lower {name}.batch_size or sequence_length"
            )
