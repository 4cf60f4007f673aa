"""Compare the speed of pretraining with Trainer's: python benchmarks/pretraining.py FILES.

Both sides alternately train the same DistilBERT from equal weights on the same sequences, with the
same precision and schedule, without dropout. Trainer masks with DataCollatorForLanguageModeling,
as its documentation recommends.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import psutil
import torch
from rich.console import Console
from rich.table import Table
from tokenizers import Tokenizer
from transformers import (
    AutoTokenizer,
    DataCollatorForLanguageModeling,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)

from benchmarks.machine import machine_precision
from benchmarks.records import save_record
from models.encoder_files import TOKENIZER
from models.masked_language_model import MaskedLanguageModel, build_model
from tuning.pretraining.corpus import read_paragraphs
from tuning.pretraining.masking import PackedText, SequenceOptions
from tuning.pretraining.recipe import Phase, Recipe, load_recipe
from tuning.pretraining.trainer import MlmTrainer
from tuning.pretraining.wordpiece import encode_stream, vocabulary_of
from tuning.system.project import EMBEDDED, ROOT

_LAST = 20  # final steps whose mean loss is compared
Step = tuple[float, float, float]  # time, loss, resident megabytes


@dataclass(kw_only=True, slots=True)
class Side:
    """Measurements of one side, one value per turn.

    ``losses`` has the loss of every step, ``memory_mb`` the resident megabytes after a tenth of
    the steps and at the end.
    """

    tokens_per_second: list[float] = field(default_factory=list)
    losses: list[list[float]] = field(default_factory=list)
    memory_mb: list[tuple[float, float]] = field(default_factory=list)

    def note(self, steps: list[Step], tokens: int) -> None:
        """Add a turn; its speed is that of the median step, since the first steps are slower.

        Args:
            steps: Time, loss and memory of each step.
            tokens: Number of tokens per step.
        """
        times, losses, memory = zip(*steps, strict=True)
        self.tokens_per_second.append(tokens / float(np.median(np.diff(times))))
        self.losses.append(list(losses))
        self.memory_mb.append((memory[len(memory) // 10], memory[-1]))

    @property
    def last_loss(self) -> float:
        """Return the mean loss of the last steps of all turns."""
        return statistics.mean(loss for turn in self.losses for loss in turn[-_LAST:])


class _Watch(TrainerCallback):
    """Recorder of time, loss and memory of each step of Trainer."""

    def __init__(self) -> None:
        self.steps: list[Step] = []

    def on_log(self, *args: object, logs: dict[str, float], **kwargs: object) -> None:
        """Record a step; Trainer is set to log each one."""
        if "loss" in logs:
            self.steps.append((time.perf_counter(), logs["loss"], _resident()))


def _resident() -> float:
    """Return the resident memory of this process in megabytes."""
    return psutil.Process().memory_info().rss / 1e6


def run_ours(text: PackedText, model: MaskedLanguageModel, phase: Phase, side: Side) -> None:
    """Train with this program and add the turn to ``side``."""
    trainer = MlmTrainer(
        model, text, phase, precision=machine_precision().trained, device=torch.device("cpu")
    )
    steps = [(time.perf_counter(), result.loss, _resident()) for result in trainer.run()]
    side.note(steps, phase.batch_size * text.length)


def _sequences(text: PackedText, size: int, steps: int) -> list[dict[str, list[int]]]:
    """Return the sequences that this program trains on, without masks, for Trainer.

    Args:
        text: Text as packed sequences.
        size: Number of sequences per batch.
        steps: Number of batches.
    """
    found = []
    for number in range(steps):
        batch = text.batch(number, size)
        batch.tokens[batch.chosen] = batch.targets
        found += [{"input_ids": row} for row in batch.tokens.tolist()]
    return found


def run_trainer(text: PackedText, model: MaskedLanguageModel, phase: Phase, side: Side) -> None:
    """Train with Trainer, on the same sequences in its own order, and add the turn to ``side``."""
    assert phase.steps is not None, "main sets corpus.steps"
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    watch = _Watch()
    tokenizer = AutoTokenizer.from_pretrained(EMBEDDED / "encoder")
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder,
            max_steps=phase.steps,
            per_device_train_batch_size=phase.batch_size,
            learning_rate=phase.learning_rate,
            warmup_steps=round(phase.warmup_fraction * phase.steps),
            adam_beta1=phase.betas[0],
            adam_beta2=phase.betas[1],
            weight_decay=phase.weight_decay,
            max_grad_norm=phase.clip_norm,
            optim="adamw_torch_fused",
            bf16=machine_precision().trained == "bfloat16",
            use_cpu=True,
            logging_steps=1,
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
        )
        trainer = Trainer(
            model=model.inner,
            args=arguments,
            train_dataset=_sequences(text, phase.batch_size, phase.steps),  # pyright: ignore[reportArgumentType] - a list will do
            data_collator=DataCollatorForLanguageModeling(
                tokenizer, mlm_probability=text.options.mask_fraction
            ),
            callbacks=[watch],
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    side.note(watch.steps, phase.batch_size * text.length)


def prepare(files: list[Path], recipe: Recipe, folder: Path) -> PackedText:
    """Return the text as sequences of the embedded encoder's word pieces.

    Args:
        files: Text files, one paragraph per line.
        recipe: Pretraining recipe with the length of the sequences.
        folder: Folder for the file of word pieces.
    """
    tokenizer = Tokenizer.from_file(str(EMBEDDED / "encoder" / TOKENIZER))
    options = SequenceOptions(
        length=recipe.sequence_length,
        positions=recipe.shape.positions,
        even_starts=recipe.starts == "even",
        mask_fraction=recipe.mask_fraction,
        whole_words=False,
        seed=0,
    )
    stream = encode_stream(read_paragraphs(files), tokenizer, folder / "text.pieces")
    return PackedText(stream, vocabulary_of(tokenizer), options)


def show(ours: Side, theirs: Side) -> Table:
    """Return a table of both sides: speed, loss and memory."""
    table = Table(title="Masked-language-model training, medians of the turns")
    for name in ("", "tokens/s", "loss at the end", "memory after a tenth", "at the end"):
        table.add_column(name, justify="right")
    for name, side in (("this program", ours), ("Trainer", theirs)):
        early, late = np.median(side.memory_mb, axis=0)
        speed = statistics.median(side.tokens_per_second)
        table.add_row(
            name, f"{speed:,.0f}", f"{side.last_loss:.3f}", f"{early:.0f} MB", f"{late:.0f} MB"
        )
    return table


def main() -> int:
    """Return 0 after printing the table and saving its numbers."""
    parser = argparse.ArgumentParser(
        allow_abbrev=False, description="Compare pretraining with Trainer."
    )
    parser.add_argument("files", type=Path, nargs="+", help="text, one paragraph per line")
    parser.add_argument("--steps", type=int, default=120, help="optimizer steps per turn")
    parser.add_argument("--turns", type=int, default=2, help="turns of each side")
    args = parser.parse_args()
    recipe = load_recipe(
        ROOT / "experiments/pretrain_embedded.yaml", [f"corpus.steps={args.steps}"]
    )
    ours, theirs = Side(), Side()
    sides: list[tuple[Side, Callable[..., None]]] = [(ours, run_ours), (theirs, run_trainer)]
    with tempfile.TemporaryDirectory() as folder:
        text = prepare(args.files, recipe, Path(folder))
        for turn in range(args.turns):
            for side, run in sides:
                model = build_model(text.vocabulary.size, recipe.shape.model_dump(), seed=turn)
                run(text, model, recipe.corpus, side)
                print(f"turn {turn}: {side.tokens_per_second[-1]:,.0f} tokens/s", flush=True)
    ratio = statistics.median(ours.tokens_per_second) / statistics.median(theirs.tokens_per_second)
    numbers = {
        "steps": args.steps,
        "ratio": ratio,
        "ours": asdict(ours),
        "trainer": asdict(theirs),
    }
    save_record("pretraining", numbers)
    Console().print(show(ours, theirs), f"ratio: {ratio:.2f}x")
    return 0


if __name__ == "__main__":
    sys.exit(main())
