"""The machines of a cluster: have they what trials need? Asked before the first trial."""

from __future__ import annotations

import platform
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy
from rich.console import Console

from measures.passwords import first_line
from tuning.execution.ray_session import ClusterError
from tuning.system.storage_path import StoragePath
from tuning.tracking.launch_folder import LaunchSettings

# what decides the numbers of a trial, or reads what the driver sends
_PACKAGES = ("numpy", "pyarrow", "pydantic", "ray", "safetensors", "scikit-learn", "tokenizers",
             "torch", "transformers")  # fmt: skip
_PROBES = "probes"  # a folder beside the launches
_PATIENCE = 60.0  # seconds for a node to start a process and answer


@dataclass(frozen=True, kw_only=True, slots=True)
class NodeReport:
    """What a machine said: its versions by package, and why it does not reach the results."""

    versions: dict[str, str]
    problem: str | None


def check_nodes(settings: LaunchSettings, console: Console) -> None:
    """Check that every machine reaches the results and has the driver's versions; say what it is.

    Needs a Ray session in a cluster.

    Raises:
        ClusterError: With all that is wrong, by machine.
        DiskError: If the driver itself cannot write where results are kept.
    """
    console.print(f"Cluster: {describe_cluster()}", highlight=False, soft_wrap=True)
    console.print(
        f"Every node needs {settings.shared_output} and the versions of constraints.txt; code and "
        "states travel to it. The log is written by this program alone, which alone needs "
        "--tracking-uri.",
        highlight=False,
        soft_wrap=True,
        markup=False,
    )
    if not settings.resumed and not settings.storage.is_local and not settings.storage.is_empty():
        raise ClusterError(f"{settings.storage}: belongs to another launch; start again")
    probe = settings.shared_output / _PROBES / uuid.uuid4().hex
    token = uuid.uuid4().bytes
    try:
        (probe / "driver").write(token)
        problems = list(_problems(_ask(probe, token)))
    finally:
        probe.remove()
    if problems:
        raise ClusterError("cluster: no trial was started:\n" + "\n".join(problems))


def describe_cluster() -> str:
    """Return the sizes of the cluster in words."""
    nodes, have = _alive(), ray.cluster_resources()
    return f"{len(nodes)} nodes, {have.get('CPU', 0):g} cores, {have.get('GPU', 0):g} GPUs"


def _alive() -> list[dict[str, Any]]:
    return [node for node in ray.nodes() if node["Alive"]]


def _ask(probe: StoragePath, token: bytes) -> dict[str, NodeReport | str]:
    """Return what each machine answered, by its address; a text says why there is no answer."""
    asked = {}
    for node in _alive():
        there = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
        # an actor, as a trial is: what keeps one from starting keeps the other
        actor: Any = ray.remote(NodeProbe).options(num_cpus=0, scheduling_strategy=there).remote()
        own = probe / node["NodeID"]
        name = f"{node['NodeManagerAddress']} ({node['NodeID'][:6]})"
        asked[name] = actor.answer.remote(probe / "driver", own, token)
    ray.wait(list(asked.values()), num_returns=len(asked), timeout=_PATIENCE)
    return {name: _answer_of(reference) for name, reference in asked.items()}


def _answer_of(reference: ray.ObjectRef) -> NodeReport | str:
    try:
        return ray.get(reference, timeout=0)
    except GetTimeoutError:
        return f"gave no answer in {_PATIENCE:g} seconds"
    except RayError as error:
        return f"cannot run the tuner: {str(error).strip().splitlines()[-1]}"


class NodeProbe:
    """Answers for the machine on which it runs."""

    def answer(self, theirs: StoragePath, own: StoragePath, token: bytes) -> NodeReport:
        """Return what the machine has, after reading and writing where results go.

        Args:
            theirs: What the driver wrote.
            own: What this machine writes.
            token: What stands in both.
        """
        problem = None
        try:
            if theirs.read() != token:
                problem = f"does not see what the driver wrote: {theirs}"
            own.write(token)
        except OSError as error:
            problem = first_line(error)
        return NodeReport(versions=versions(), problem=problem)


def versions() -> dict[str, str]:
    """Return the versions, of this machine, that must agree."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "none"
    return found


def _problems(answers: dict[str, NodeReport | str]) -> Iterable[str]:
    wanted = versions()
    for name, found in answers.items():
        if isinstance(found, str):
            yield f"  - node {name} {found}"
            continue
        if found.problem is not None:
            yield (
                f"  - node {name}: {found.problem}; --output must be a folder that all nodes "
                "share, or a URI as s3://bucket/folder that they may read and write"
            )
        differing = [
            f"{package} must be {wanted[package]} as here, got {own}"
            for package, own in found.versions.items()
            if own != wanted[package]
        ]
        if differing:
            yield f"  - node {name}: {'; '.join(differing)}; install constraints.txt there"
