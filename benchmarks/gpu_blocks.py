"""Tables on a GPU for the pages, from the lines that ``gpu.py`` wrote, a part each."""

from __future__ import annotations

from typing import Any

from benchmarks.markdown_text import Record, table

_TYPES = ("bfloat16", "float16", "tf32", "float32")
_TYPE_WORDS = ("", "bfloat16", "float16", "TensorFloat-32", "float32")
_HEADS = {"cross_attention": "cross attention", "attention_pooling": "attention pooling",
          "mean_pooling": "mean pooling", "bilstm_attention": "BiLSTM with attention"}  # fmt: skip
_GRIDS = {"grid_of_large": "random DistilBERT, seeds stacked",
          "grid_of_embedded": "embedded encoder, seeds stacked",
          "grid_of_embedded_in_turns": "embedded encoder, seed after seed"}  # fmt: skip
_LAYERS = {"trained_0": "nothing else trained", "trained_2": "2 layers trained"}


def rates(record: Record) -> str:
    """Return the rates of matrix products and of the frozen pass by number format."""
    parts = record["numbers"]
    measured = parts["rates"]["operations_per_second"]
    rows = [["matrix products, TFLOP/s", *(f"{measured[t] / 1e12:.3g}" for t in _TYPES)]]
    for name, words in (("layers", "of the layers alone"), ("cached", "with states on the host")):
        found = [parts["frozen_pass"].get(t, {}).get(name) for t in _TYPES]
        tokens = (f"{one['tokens_per_second']:,.0f}" if one else "" for one in found)
        shares = (f"{one['fraction_of_rate']:.3f}".lstrip("0") if one else "" for one in found)
        rows += [[f"frozen pass {words}, tokens/s", *tokens], ["fraction of the rate", *shares]]
    return table(_TYPE_WORDS, rows)


def copies(record: Record) -> str:
    """Return the rates of copies on, to and from the card."""
    found = {k: f"{v / 1e9:,.3g}" if v < 1e12 else f"{v / 1e9:,.0f}"
             for k, v in record["numbers"]["rates"]["bytes_per_second"].items()}  # fmt: skip
    rows = [
        ["on the card (read and write)", found["device_to_device"]],
        ["to the card, pageable / pinned",
         f"{found['pageable_to_device']} / {found['pinned_to_device']}"],
        ["from the card, pageable / pinned",
         f"{found['device_to_pageable']} / {found['device_to_pinned']}"],
    ]  # fmt: skip
    return table(("copies", "GB/s"), rows)


def probabilities(record: Record) -> str:
    """Return how far probabilities lie from those of the CPU in float32."""
    found = record["numbers"]["probabilities"]
    cases: dict[str, tuple[str, ...]] = {"CPU, sdpa, float32": ("cpu sdpa float32",),
             "CPU, eager, bfloat16": ("cpu eager bfloat16",)}  # fmt: skip
    for kind in ("float32", "tf32", "float16", "bfloat16"):
        words = kind.replace("tf32", "TensorFloat-32")
        cases[f"GPU, eager / sdpa, {words}"] = (f"cuda eager {kind}", f"cuda sdpa {kind}")
    rows = [
        [words,
         *(" / ".join(_small(found[name][which]) for name in names)
           for which in ("largest", "mean")),
         str(sum(found[name]["flipped"] for name in names))]
        for words, names in cases.items()
    ]  # fmt: skip
    deviation = f"{found['spread']:.3f}".lstrip("0")
    text = table(("", "largest difference", "mean difference", "flipped"), rows)
    return f"{text}\n\nThe probabilities themselves have a standard deviation of {deviation}."


def _small(value: float) -> str:
    """Return a small number as 1.2e-5."""
    digits, _, power = f"{value:.1e}".partition("e")
    return f"{digits}e{int(power)}"


def steps(record: Record) -> str:
    """Return milliseconds a step of each head, plain and stacked."""
    found, names = record["numbers"]["heads"], ("plain", "stacked_1", "stacked_3", "stacked_12")
    rows = [
        [words, *("-" if found[head][n] is None else f"{found[head][n]:.2f}" for n in names)]
        for head, words in _HEADS.items()
    ]
    header = ("head on cached states", "plain", "1 stacked", "3 stacked", "12 stacked")
    return table(header, rows)


def assigned_grid(record: Record) -> str:
    """Return the seconds of the assigned grid, by encoder and way."""
    rows = []
    for part, words in _GRIDS.items():
        found = record["numbers"][part]
        cells = found["seconds_by_cell"].items()
        halves = [sum(s for cell, s in cells if cell.startswith(mode)) for mode in ("all", "some")]
        together = found["states_seconds"] + found["trained_seconds"]
        rows.append([words, *(f"{s:.1f}" for s in (found["states_seconds"], *halves, together))])
    header = ("", "states", "six cells, all frozen", "six cells, some frozen", "together")
    return table(header, rows)


def memory(record: Record) -> str:
    """Return the memory that a trial was predicted to use beside what it used."""
    rows = []
    for name, found in record["numbers"]["memory"].items():
        layers, batch = (part.rpartition("_")[2] for part in name.split())
        predicted, used = found["predicted_process"], found["used_on_card"]
        cells = (f"{predicted / 1e9:.2f}", f"{used / 1e9:.2f}")
        share = f"{predicted / used:.2f}".removeprefix("0")
        rows.append([f"{layers.replace('0', 'none')}, {batch}", *cells, share])
    return table(("layers trained, batch", "predicted", "used", "predicted / used"), rows)


def processes(record: Record) -> str:
    """Return the steps per second of several processes on one card."""
    found = record["numbers"]["processes"]
    rows = [
        [words, *(f"{each[name]:.0f}" for each in found.values())]
        for words, name in (("steps a second, all together", "steps_per_second"),
                            ("steps a second of the slowest", "slowest"))
    ]  # fmt: skip
    return table(("processes", *found), rows)


def repeats(record: Record) -> str:
    """Return what deterministic kernels cost."""
    found: dict[str, Any] = record["numbers"]["repeated_trainings"]
    rows = []
    for name in ("cross_attention trained_0", "bilstm_attention trained_0",
                 "cross_attention trained_2"):  # fmt: skip
        head, layers = name.split()
        usual, same = (
            found[kind][name]["milliseconds"] for kind in ("any_kernels", "deterministic")
        )
        rows.append([f"{_HEADS[head]}, {_LAYERS[layers]}", f"{usual:.3g}", f"{same:.3g}",
                     f"{same / usual:.2f}x"])  # fmt: skip
    return table(("milliseconds a step", "any kernels", "deterministic", "cost"), rows)


def profile(record: Record) -> str:
    """Return kernels, copies and synchronisations a step, and the share of time computed."""
    words = {"trained_0 plain": "nothing else trained", "trained_2 plain": "2 layers trained",
             "trained_0 stacked_12": "12 stacked"}  # fmt: skip
    names = ("kernels_a_step", "copies_a_step", "synchronisations_a_step")
    rows = []
    for name, found in record["numbers"]["profile"].items():
        busy = f"{100 * found['busy_fraction']:.0f} %"
        rows.append([words[name], *(f"{found[each]:.0f}" for each in names), busy])
    header = ("cross attention on the large encoder", "kernels a step", "copies a step",
              "synchronisations a step", "card busy")  # fmt: skip
    return table(header, rows)


def after(before: Record, now: Record) -> str:
    """Return the numbers of a card before and after the first changes."""
    columns = [_compared(record["numbers"]) for record in (before, now)]
    rows = [[words, *(column[words] for column in columns)] for words in columns[0]]
    return table(("", "before", "after"), rows)


def _compared(parts: dict[str, Any]) -> dict[str, str]:
    """Return the cells of one column of ``after``, by the words of their rows."""
    passes = [parts["frozen_pass"][name]["cached"] for name in ("bfloat16", "float16", "float32")]
    tokens = [
        f"{one['tokens_per_second']:,.0f} ({100 * one['fraction_of_rate']:.0f} % of the rate)"
        for one in passes
    ]
    grid, heads = parts["grid_of_embedded"], parts["heads"]["cross_attention"]
    trained, profiled = parts["trained_layers"], parts["profile"]["trained_0 plain"]
    shares = [one["predicted_process"] / one["used_on_card"] for one in parts["memory"].values()]
    together = grid["states_seconds"] + grid["trained_seconds"]
    return {
        "frozen pass with states on the host, bfloat16, tokens/s": tokens[0],
        "the same in float16": tokens[1],
        "the same in float32": tokens[2],
        "the assigned grid, embedded encoder, 3 seeds, 5 epochs": f"{together:.1f} s",
        "a step of cross attention on the large encoder: alone / 12 stacked":
            f"{heads['plain']:.2f} / {heads['stacked_12']:.2f} ms",
        "a step with 2 / 6 layers trained":
            f"{trained['trained_2']:.1f} / {trained['trained_6']:.1f} ms",
        "synchronisations a step": f"{profiled['synchronisations_a_step']:.2g}",
        "memory, predicted / used, six cases": f"{min(shares):.2f} to {max(shares):.2f}",
    }  # fmt: skip
