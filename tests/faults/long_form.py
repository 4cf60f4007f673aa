"""The long form of the fault tests, and its table: python -m tests.faults.long_form.

It takes half an hour on 2 cores; ``FAULT_EXAMPLES=2000 pytest tests/faults/test_any_bytes.py`` is
the long form of the property tests.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, fields
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.records import read_record, save_record
from tests.faults import scenarios, store_scenarios
from tests.faults.harness import Harm, Launch, SearchLaunch
from tests.faults.scenarios import Expected

KILLS = 4  # of one launch
Run = Callable[[Path, Expected], Harm]
DAMAGED = {
    "journal": "smoke-*/journal.jsonl",
    "count of what was delivered": "smoke-*/delivered.json",
    "checkpoint of a trial": "smoke-*/states/*.state",
    "cached activations": "activations/*.safetensors",
    "saved classifier": "smoke-*/*/checkpoint_*/model/classifier.safetensors",
    "results of a trial": "smoke-*/*/checkpoint_*/result.json",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """A kind of fault: how often it is injected, in how many launches, and how."""

    name: str
    injected: int
    launches: list[Run]
    search: bool = False


def all_faults(seed: int) -> list[Fault]:
    """Return every kind of fault; ``seed`` fixes all moments and bytes."""
    s, stores = scenarios, store_scenarios

    def each(launches: int, run: Callable[..., Harm], **given: object) -> list[Run]:
        return [partial(run, seed=seed + number, **given) for number in range(launches)]

    shares = (0.3, 0.5, 0.7, 0.85, 0.95)
    damaged = [
        Fault(name=f"byte of the {name} changed", injected=1,
              launches=[partial(s.damaged, pattern=pattern, seed=seed)])
        for name, pattern in DAMAGED.items()
    ]  # fmt: skip
    return [
        Fault(name="driver killed", injected=5 * KILLS,
              launches=each(5, s.driver_killed, count=KILLS, seconds=40)),
        Fault(name="driver of a search killed", injected=2 * KILLS, search=True,
              launches=each(2, s.search_killed, count=KILLS, seconds=80)),
        Fault(name="worker killed", injected=5, launches=each(5, s.worker_killed)),
        Fault(name="worker hung", injected=2, launches=each(2, s.worker_hung)),
        Fault(name="Ctrl-C", injected=3, launches=each(3, s.interrupted, times=1)),
        Fault(name="Ctrl-C twice", injected=2, launches=each(2, s.interrupted, times=2)),
        Fault(name="MLflow server stopped", injected=3, launches=each(3, stores.store_stopped)),
        Fault(name="MLflow server unavailable from the start", injected=1,
              launches=[stores.store_away]),
        Fault(name="MLflow's database locked", injected=2, launches=each(2, stores.store_locked)),
        Fault(name="disk full", injected=len(shares),
              launches=[partial(stores.disk_full, share=share) for share in shares]),
        Fault(name="two launches at once", injected=2, launches=[s.two_at_once, s.two_at_once]),
        *damaged,
    ]  # fmt: skip


def undisturbed(launch: Launch) -> Expected:
    """Return the histories of a launch that nothing happens to."""
    code = launch.finish()
    if code != 0:
        raise RuntimeError("\n".join(launch.texts))
    return launch.histories()


def inject(faults: list[Fault], folder: Path, console: Console) -> list[dict[str, object]]:
    """Inject all faults, two launches at a time; return a row for each kind."""
    expected = {
        search: undisturbed(kind(folder / kind.name))
        for search, kind in ((False, Launch), (True, SearchLaunch))
    }
    with ThreadPoolExecutor(2) as places:
        running = [
            [
                places.submit(run, folder / f"{kind}-{number}", expected[fault.search])
                for number, run in enumerate(fault.launches)
            ]
            for kind, fault in enumerate(faults)
        ]
        rows = []
        for fault, launches in zip(faults, running, strict=True):
            harms = [launch.result() for launch in launches]
            rows.append(row_of(fault, harms))
            console.print(" ".join(f"{key} {value}" for key, value in rows[-1].items()))
            for harm in harms:
                if harm != Harm():
                    console.print(asdict(harm))
    return rows


def row_of(fault: Fault, harms: list[Harm]) -> dict[str, object]:
    """Return the fault, how often it was injected and survived, and all that it did."""
    harmed = {f.name: sum(len(getattr(harm, f.name)) for harm in harms) for f in fields(Harm)}
    survived = sum(harm == Harm() for harm in harms)
    return {
        "fault": fault.name,
        "injected": fault.injected,
        "launches": len(harms),
        "unharmed": survived,
        **harmed,
    }


def show(rows: list[dict[str, object]]) -> Table:
    """Return the rows as a table."""
    table = Table(title="Faults, and what they did")
    for name in rows[0]:
        side = "left" if name == "fault" else "right"
        table.add_column(name.replace("_", " "), justify=side, no_wrap=name == "fault")
    for row in rows:
        table.add_row(*map(str, row.values()))
    return table


def main() -> int:
    """Return 0 if nothing was harmed, else 1, after keeping and printing the table."""
    parser = argparse.ArgumentParser(
        allow_abbrev=False, description="Inject every fault, many times."
    )
    parser.add_argument("--seed", type=int, default=0, help="of moments and bytes")
    parser.add_argument("--only", default="", help="faults whose names match; keeps the others")
    args = parser.parse_args()
    console, faults = Console(), all_faults(args.seed)
    chosen = [fault for fault in faults if re.search(args.only, fault.name)]
    with tempfile.TemporaryDirectory() as folder:
        found = {str(row["fault"]): row for row in inject(chosen, Path(folder), console)}
    known = (read_record("faults") or {"numbers": {"faults": []}})["numbers"]["faults"]
    found = {row["fault"]: row for row in known} | found
    rows = [found[fault.name] for fault in faults if fault.name in found]
    save_record("faults", {"seed": args.seed, "faults": rows})
    console.print(show(rows))
    return 0 if all(row["launches"] == row["unharmed"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
