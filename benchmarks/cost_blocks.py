"""Tables of times and costs for the pages, from the records of the benchmarks."""

from __future__ import annotations

import statistics
from typing import Any

from benchmarks.field_blocks import readme_row
from benchmarks.goals import GOALS, judge
from benchmarks.markdown_text import Record, duration, origin, score, table

_FAULTS = ("injected", "launches", "unharmed", "lost", "duplicates", "differing", "tracebacks",
           "processes", "half_written")  # fmt: skip
_PLACES = {  # of states in larger_data
    "page_cache": "the page cache",
    "disk_ahead": "a file, rows read ahead",
    "disk_plain": "a file, as the system reads",
}
_FROZEN = {6: "all six layers frozen", 4: "four of six layers frozen"}


def floor(record: Record) -> str:
    """Return passes and epochs beside the least time that the machine allows."""
    rows = [
        [
            case["name"],
            str(case["threads"]),
            f"{(case['half'] + case['single']) / 1e9:.0f}",
            f"{case['padding']:.0%}".replace("%", " %"),
            f"{case['floor']:.2f} s",
            f"{case['seconds']:.2f} s",
            f"{100 * case['reached']:.0f} %",
        ]
        for case in record["numbers"]["cases"]
    ]
    header = ("", "threads", "GFLOP", "padding", "floor", "measured", "reached")
    rate = {name: f"{value / 1e9:.0f}" for name, value in record["numbers"]["rates"].items()}
    after = (
        f"Matrix rates: bfloat16 {rate['half_1']} GFLOP/s on one core and {rate['half_2']} on "
        f"two, float32 {rate['single_1']} and {rate['single_2']}."
    )
    return f"{table(header, rows)}\n\n{origin(record)}\n\n{after}"


def against_trainer(record: Record) -> str:
    """Return both sides of the comparison with Trainer in Ray Tune, medians of the turns."""
    header = ("six cells", "this program", "Trainer in Ray Tune", "ratio", "turns",
              "best validation F1")  # fmt: skip
    rows = []
    for case in sorted(record["numbers"]["cases"], key=lambda case: -case["frozen"]):
        size = case["size"]
        rows.append(
            [
                f"{_FROZEN[case['frozen']]}, {size['epochs']} epochs, {size['train']} + "
                f"{size['validation']} pairs",
                *(f"{statistics.median(case[side]):.0f} s" for side in ("ours", "theirs")),
                f"{case['ratio']:.1f}x",
                str(len(case["ours"])),
                " against ".join(
                    score(statistics.median(case[side])) for side in ("our_f1", "their_f1")
                ),
            ]
        )
    return f"{table(header, rows)}\n\n{origin(record)}"


def pretraining(record: Record) -> str:
    """Return tokens per second, loss and memory of both sides, medians of the turns."""
    numbers, rows = record["numbers"], []
    for words, side in (("this program", "ours"), ("Hugging Face's `Trainer`", "trainer")):
        found = numbers[side]
        losses = [statistics.mean(turn[-20:]) for turn in found["losses"]]
        memory = zip(*found["memory_mb"], strict=True)
        rows.append(
            [
                words,
                f"{statistics.median(found['tokens_per_second']):,.0f}",
                f"{statistics.median(losses):.2f}",
                *(f"{statistics.median(values):.0f} MB" for values in memory),
            ]
        )
    header = (f"{numbers['steps']} steps, {len(numbers['ours']['losses'])} turns, medians",
              "tokens/s", "loss of the last 20 steps", "memory after a tenth",
              "at the end")  # fmt: skip
    after = f"The ratio is **{numbers['ratio']:.2f}** (the goal was 1.3)."
    return f"{table(header, rows)}\n\n{origin(record)}\n\n{after}"


def driver_limit(record: Record) -> str:
    """Return what trials and epochs cost the driver's process."""
    numbers = record["numbers"]
    rates = ("trials_a_second", "epochs_a_second", "entries_a_second")
    rows = [
        ["a trial: start, end, files of .8 MB, its log",
         f"{numbers['milliseconds_a_trial']:.0f} ms of a core"],
        ["an epoch: its report, its log", f"{numbers['milliseconds_an_epoch']:.0f} ms of a core"],
        ["with workers on the same two cores: trials, epochs, entries of the log a second",
         ", ".join(f"{numbers[rate]:.2g}" for rate in rates)],
    ]  # fmt: skip
    return f"{table(('of the driver', ''), rows)}\n\n{origin(record)}"


def larger_data(record: Record) -> str:
    """Return what a launch on many pairs takes, and an epoch by the place of its states."""
    numbers, places = record["numbers"], ("memory", *_PLACES)
    rows = [judge(goal, record) for goal in GOALS if goal.record == "larger_data"]
    launch = numbers["launch"]
    before = (
        f"{numbers['pairs']:,} pairs, two trials of an epoch: {duration(launch['seconds'])} in "
        f"all, {duration(launch['epoch_seconds'])} for each epoch; at its peak the driver had "
        f"{launch['driver_mb']:,.0f} MB and a worker {launch['worker_mb']:,.0f} MB."
    )
    times = []
    for head, rounds in numbers["heads"].items():
        speeds = {place: statistics.median(each[place] for each in rounds) for place in places}
        ratios = {
            place: statistics.median(each["memory"] / each[place] for each in rounds)
            for place in _PLACES
        }
        speed = (f"{speeds[place]:,.0f}" for place in places)
        times.append([f"`{head}`", *speed, *(f"{ratio:.2f}x" for ratio in ratios.values())])
    header = ("head; pairs a second with the states in", "memory", *_PLACES.values(),
              *(f"memory over {words}" for words in _PLACES.values()))  # fmt: skip
    goals = table(("measure", "measured", "goal", ""), rows)
    return f"{before}\n\n{goals}\n\n{table(header, times)}\n\n{origin(record)}"


def faults(record: Record) -> str:
    """Return the faults that were injected, and what they did."""
    found = record["numbers"]["faults"]
    rows = [[row["fault"], *(str(row[name]) for name in _FAULTS)] for row in found]
    rows.append(["**all**", *(f"**{sum(row[name] for row in found)}**" for name in _FAULTS)])
    header = ["fault", *(name.replace("_", " ") for name in _FAULTS)]
    return f"{table(header, rows)}\n\n{origin(record)}"


def faults_in_words(record: Record) -> str:
    """Return the sentence on all faults that were injected."""
    injected, launches, unharmed = _all_faults(record)
    return (
        f"On {record['machine']['date']} it injected {injected} faults into {launches} launches: "
        f"{unharmed} came out unharmed."
    )


def _all_faults(record: Record) -> tuple[int, int, int]:
    """Return the numbers of faults, of launches, and of launches that came out unharmed."""
    found = record["numbers"]["faults"]
    injected, launches, unharmed = (
        sum(row[name] for row in found) for name in ("injected", "launches", "unharmed")
    )
    return injected, launches, unharmed


def frozen_pass(record: Record) -> str:
    """Return what the frozen pass takes with either encoding, and the ratios."""
    found = record["numbers"]["encodings"]
    rows = [
        [f"`{name}`", f"{row['rows']:,}", f"{row['pieces']:,}", f"{row['seconds']:.1f} s",
         f"{row['bytes'] / 1e6:.0f} MB"]
        for name, row in found.items()
    ]  # fmt: skip
    ratio = [found["pair"][name] / found["separate"][name] for name in ("seconds", "bytes")]
    rows.append(["`pair` over `separate`", "", "", *(f"{value:.2f}x" for value in ratio)])
    header = ("`encoding`", "rows encoded", "word pieces", "frozen pass, of one core",
              "states on disk")  # fmt: skip
    return f"{table(header, rows)}\n\n{origin(record)}"


def readme_speed(trainer: Record, pretraining_: Record, faults_: Record, field: Record) -> str:
    """Return the README's table of speed and safety."""
    cases = {case["frozen"]: case for case in trainer["numbers"]["cases"]}
    ours, theirs = (
        statistics.median(pretraining_["numbers"][side]["tokens_per_second"])
        for side in ("ours", "trainer")
    )
    injected, launches, unharmed = _all_faults(faults_)
    rows = [
        ["six cells, all layers of a DistilBERT frozen, against Hugging Face's `Trainer` in Ray "
         "Tune", _times(cases[6])],
        ["the same with four of six layers frozen", _times(cases[4])],
        readme_row(field),
        ["pretraining, tokens a second, against `Trainer`",
         f"{ours:,.0f} against {theirs:,.0f}: {pretraining_['numbers']['ratio']:.2f} times as "
         "many"],
        ["faults injected into real launches: kills, full disks, stopped servers, damaged bytes",
         f"{injected} in {launches} launches; {'all ' * (unharmed == launches)}{unharmed} came to "
         "the undisturbed numbers"],
    ]  # fmt: skip
    machine = trainer["machine"]
    dates = sorted(each["machine"]["date"] for each in (trainer, pretraining_, faults_, field))
    where = f"{machine['cores']} cores, {machine['processor']}, no GPU; {dates[0]} to {dates[-1]}."
    return f"{table(('speed and safety', 'measured'), rows)}\n\n{where}"


def _times(case: dict[str, Any]) -> str:
    ours, theirs = (statistics.median(case[side]) for side in ("ours", "theirs"))
    return f"{ours:.0f} s against {theirs:.0f} s: {case['ratio']:.1f} times as fast"


_FLAGS = (
    '\nA flagged trial is never called best: "collapsed" ranks no better than chance, '
    '"no positive at 0.5" gives every pair the same answer there.'
)


def readme_first(record: Record) -> str:
    """Return the caption of the README's picture."""
    numbers, machine = record["numbers"], record["machine"]
    seconds = record.get("seconds", numbers["seconds"])  # of the command, else of the launch
    flagged = any(row["flags"] for row in numbers["trials"])
    return (
        "*What `make grid` prints on a machine without access to the hub or to PARADE: "
        f"{len(numbers['trials'])} trials on the embedded pairs with the encoder\n"
        f"all-MiniLM-L6-v2, best by validation first: {duration(seconds)} on "
        f"{machine['cores']} cores ({machine['processor'].partition(' (')[0]} with AVX-512 bf16, "
        f"no GPU, {machine['date']}).{_FLAGS if flagged else ''}*"
    )
