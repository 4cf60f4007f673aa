"""Alternative to compare with: Hugging Face's Trainer inside a Ray Tune function.

It follows both projects' documentation and avoids needless work: dynamic padding, bfloat16, one
evaluation per epoch, nothing saved, processes reused. ``against_trainer.py`` calls it.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import ray
import torch
from ray import tune
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence
from transformers import (
    AutoModel,
    AutoTokenizer,
    EvalPrediction,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)

from benchmarks.machine import machine_precision
from measures.metrics import choose_threshold
from models.heads import build_head
from models.segments import FIRST, PADDING, SECOND, SPECIAL

Rows = list[dict[str, Any]]
_KIND = {None: SPECIAL, 0: FIRST, 1: SECOND}


class PairModel(nn.Module):
    """DistilBERT with its lowest layers frozen and this program's head.

    Args:
        folder: Folder of the encoder.
        frozen: Number of frozen layers, counted from the embeddings.
        attention: Attention implementation, ``eager`` or ``sdpa``.
    """

    def __init__(self, folder: str, frozen: int, attention: str) -> None:
        super().__init__()
        self.encoder = AutoModel.from_pretrained(
            folder, attn_implementation=attention, dtype=torch.float32
        )
        for part in [self.encoder.embeddings, *self.encoder.transformer.layer[:frozen]]:
            part.requires_grad_(False)
        width = self.encoder.config.dim
        self.head = build_head("cross_attention", width=width, head_width=128, dropout=0.2)

    def forward(self, input_ids: Tensor, segments: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Return the loss for labels (B,), and logits (B, C).

        Args:
            input_ids: Token ids (B, T).
            segments: Kinds of position (B, T), as in ``models.segments``.
            labels: Classes (B,).
        """
        mask = (segments != PADDING).long()
        states = self.encoder(input_ids=input_ids, attention_mask=mask).last_hidden_state
        logits = self.head(states, segments)
        return {"loss": nn.functional.cross_entropy(logits, labels), "logits": logits}


class Report(TrainerCallback):
    """Callback that reports the best validation F1 to Ray Tune after each epoch."""

    def __init__(self) -> None:
        self.best = 0.0

    def on_evaluate(
        self,
        args: object,
        state: object,
        control: object,
        metrics: Mapping[str, float] | None = None,
        **info: object,
    ) -> None:
        """Report the best validation F1 so far."""
        self.best = max(self.best, (metrics or {})["eval_f1"])
        tune.report({"f1": self.best})


def tokenise(folder: Path, encoder: str, split: str) -> Rows:
    """Return a split as rows of token ids, kinds of position and label."""
    frame = pd.read_parquet(folder / f"{split}.parquet")
    tokenizer = AutoTokenizer.from_pretrained(encoder)
    encoded = tokenizer(list(frame["first"]), list(frame["second"]), truncation=True)
    return [
        {
            "input_ids": encoded["input_ids"][row],
            "segments": [_KIND[part] for part in encoded.sequence_ids(row)],
            "labels": label,
        }
        for row, label in enumerate(frame["label"])
    ]


def collate(rows: Rows) -> dict[str, Tensor]:
    """Return the rows as tensors (B, T), padded to the longest row, and labels (B,)."""
    batch = {
        name: pad_sequence([torch.tensor(row[name]) for row in rows], batch_first=True)
        for name in ("input_ids", "segments")
    }
    return batch | {"labels": torch.tensor([row["labels"] for row in rows])}


def scores(predicted: EvalPrediction) -> dict[str, float]:
    """Return the validation F1 at its threshold."""
    logits = torch.as_tensor(np.asarray(predicted.predictions)).float()
    probabilities = logits.softmax(dim=-1)[:, 1].double().numpy()
    return {"f1": choose_threshold(np.asarray(predicted.label_ids), probabilities, "steady")[1]}


def build_optimizer(model: PairModel, config: dict[str, Any]) -> torch.optim.Optimizer:
    """Return AdamW or SGD with the cell's learning rate for the head and 5e-5 for the encoder."""
    layers = [weight for weight in model.encoder.parameters() if weight.requires_grad]
    groups = [{"params": list(model.head.parameters())}, {"params": layers, "lr": 5e-5}]
    groups = [group for group in groups if group["params"]]
    rate = config["learning_rate"]
    if config["optimizer"] == "sgd":
        return torch.optim.SGD(groups, lr=rate, momentum=0.9, weight_decay=0.01)
    return torch.optim.AdamW(groups, lr=rate, weight_decay=0.01)


def train(config: dict[str, Any], splits: dict[str, Rows], args: argparse.Namespace) -> None:
    """Train one cell of the grid, as a function of Ray Tune.

    Args:
        config: Optimizer and learning rate of the cell.
        splits: Rows of the train and of the validation split.
        args: Arguments of the script.
    """
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = PairModel(args.encoder, args.frozen, args.attention)
    with tempfile.TemporaryDirectory() as folder:
        settings = TrainingArguments(
            output_dir=folder,
            num_train_epochs=args.epochs,
            per_device_train_batch_size=32,
            per_device_eval_batch_size=64,
            warmup_steps=0.1,
            bf16=machine_precision().trained == "bfloat16",
            use_cpu=True,
            eval_strategy="epoch",
            save_strategy="no",
            logging_strategy="no",
            report_to=[],
            disable_tqdm=True,
            dataloader_pin_memory=False,
            remove_unused_columns=False,
            seed=0,
        )
        Trainer(
            model=model,
            args=settings,
            train_dataset=splits["train"],  # pyright: ignore[reportArgumentType] - a list will do
            eval_dataset=splits["validation"],  # pyright: ignore[reportArgumentType]
            data_collator=collate,
            compute_metrics=scores,
            callbacks=[Report()],
            optimizers=(build_optimizer(model, config), None),
        ).train()


def parse() -> argparse.Namespace:
    """Return the arguments of the script."""
    parser = argparse.ArgumentParser(
        allow_abbrev=False, description="Run the grid with Trainer and Ray Tune."
    )
    parser.add_argument("--data", type=Path, required=True, help="folder with Parquet files")
    parser.add_argument("--encoder", required=True, help="folder of a DistilBERT")
    parser.add_argument("--frozen", type=int, required=True, help="frozen layers")
    parser.add_argument("--epochs", type=int, required=True, help="epochs per cell")
    parser.add_argument("--attention", choices=["eager", "sdpa"], default="sdpa")
    parser.add_argument("--output", type=Path, required=True, help="JSON file for the F1 scores")
    return parser.parse_args()


def main() -> int:
    """Return 0 after writing the best validation F1 of each cell as JSON."""
    args = parse()
    os.environ["RAY_AIR_NEW_OUTPUT"] = "0"
    os.environ["TUNE_DISABLE_AUTO_CALLBACK_LOGGERS"] = "1"
    splits = {name: tokenise(args.data, args.encoder, name) for name in ("train", "validation")}
    ray.init(include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    grid = {"optimizer": ["adamw", "sgd"], "learning_rate": [0.001, 0.01, 0.1]}
    with tempfile.TemporaryDirectory() as folder:
        results = tune.Tuner(
            tune.with_resources(tune.with_parameters(train, splits=splits, args=args), {"cpu": 1}),
            param_space={name: tune.grid_search(values) for name, values in grid.items()},
            tune_config=tune.TuneConfig(reuse_actors=True),
            run_config=tune.RunConfig(storage_path=folder, verbose=0),
        ).fit()
        if results.errors:
            raise results.errors[0]
        f1 = [result.metrics["f1"] for result in results if result.metrics]
    args.output.write_text(json.dumps(f1), encoding="utf-8")
    ray.shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
