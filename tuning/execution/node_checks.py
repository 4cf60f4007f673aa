"""Checks of a cluster's nodes before the first trial: versions, access to results, GPUs."""

from __future__ import annotations

import platform
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import ray
import torch
from ray.exceptions import GetTimeoutError, RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy
from rich.console import Console

from measures.passwords import first_line
from models.precision import DeviceProperties, describe_device
from tuning.execution.ray_session import ClusterError
from tuning.system.gpus import refuse_gpu
from tuning.system.storage_path import StoragePath
from tuning.tracking.launch_folder import LaunchSettings

# packages on which a trial's numbers depend, or that read what the driver sends
_PACKAGES = ("numpy", "pyarrow", "pydantic", "ray", "safetensors", "scikit-learn", "tokenizers",
             "torch", "transformers")  # fmt: skip
_PROBES = "probes"  # folder for the files of the checks, beside the launches
_PATIENCE = 60.0  # seconds for a node to start a process and reply
_GPU_PATIENCE = 300.0  # seconds for a node to load torch and start a GPU


@dataclass(frozen=True, kw_only=True, slots=True)
class NodeReport:
    """What a node reported.

    Attributes:
        versions: Version of each package; ``none`` if it is not installed.
        problem: Reason why the node cannot read and write the results; None if it can.
    """

    versions: dict[str, str]
    problem: str | None


def check_nodes(settings: LaunchSettings, console: Console) -> None:
    """Print the size of the cluster, and check that each node reaches the results.

    Each node also needs the driver's package versions. Needs a Ray session in a cluster.

    Args:
        settings: Locations that the launch writes to.
        console: Console for the lines on the cluster.

    Raises:
        ClusterError: If a node fails a check, with every problem of every node; or if a new
            launch finds files of another one in remote storage.
        DiskError: If the driver itself cannot write where results are kept.
    """
    console.print(f"Cluster: {describe_cluster()}", highlight=False, soft_wrap=True)
    console.print(
        f"Every node needs access to {settings.shared_output} and the package versions of "
        "constraints.txt; code and states are sent to it. Only this program writes the log and "
        "needs --tracking-uri.",
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
        problems = list(_problems(_probe_nodes(probe, token)))
    finally:
        probe.remove()
    if problems:
        raise ClusterError("cluster: no trial was started:\n" + "\n".join(problems))


def describe_cluster() -> str:
    """Return the numbers of nodes, cores and GPUs of the cluster, in words."""
    nodes, total = _alive(), ray.cluster_resources()
    return f"{len(nodes)} nodes, {total.get('CPU', 0):g} cores, {total.get('GPU', 0):g} GPUs"


def _alive() -> list[dict[str, Any]]:
    return [node for node in ray.nodes() if node["Alive"]]


def _probe_nodes(probe: StoragePath, token: bytes) -> dict[str, NodeReport | str]:
    """Return each node's report by its address; a text is the reason why there is no report."""
    pending = {}
    for node in _alive():
        there = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
        # an actor, as a trial is: what keeps a trial from starting keeps the probe from it too
        actor: Any = ray.remote(NodeProbe).options(num_cpus=0, scheduling_strategy=there).remote()
        own = probe / node["NodeID"]
        name = f"{node['NodeManagerAddress']} ({node['NodeID'][:6]})"
        pending[name] = actor.report.remote(probe / "driver", own, token)
    ray.wait(list(pending.values()), num_returns=len(pending), timeout=_PATIENCE)
    return {name: _report_of(reference) for name, reference in pending.items()}


def _report_of(reference: ray.ObjectRef) -> NodeReport | str:
    try:
        return ray.get(reference, timeout=0)
    except GetTimeoutError:
        return f"did not reply within {_PATIENCE:g} seconds"
    except RayError as error:
        return f"cannot run the tuner: {str(error).strip().splitlines()[-1]}"


class NodeProbe:
    """An actor that reports on the node on which it runs."""

    def report(self, theirs: StoragePath, own: StoragePath, token: bytes) -> NodeReport:
        """Return the node's report, after reading and writing a file where results are kept.

        Args:
            theirs: File that the driver wrote.
            own: File for this node to write.
            token: Content of both files.
        """
        problem = None
        try:
            if theirs.read() != token:
                problem = f"does not see the file that the driver wrote: {theirs}"
            own.write(token)
        except OSError as error:
            problem = first_line(error)
        return NodeReport(versions=versions(), problem=problem)


def versions() -> dict[str, str]:
    """Return the versions of this machine that must be the same on every node, by package."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "none"
    return found


def _problems(reports: Mapping[str, NodeReport | str]) -> Iterable[str]:
    """Yield a line for each problem of each node."""
    wanted = versions()
    for name, report in reports.items():
        if isinstance(report, str):
            yield f"  - node {name} {report}"
            continue
        if report.problem is not None:
            yield (
                f"  - node {name}: {report.problem}; --output must be a folder that all nodes "
                "share, or a URI as s3://bucket/folder that they may read and write"
            )
        differing = [
            f"{package} must be {wanted[package]} as here, got {own}"
            for package, own in report.versions.items()
            if _release(own) != _release(wanted[package])
        ]
        if differing:
            yield f"  - node {name}: {'; '.join(differing)}; install constraints.txt there"


def _release(version: str) -> str:
    """Return a version without its local part, which says for what a package was built.

    A head without a GPU may have torch 2.13.0+cpu where its workers have 2.13.0.
    """
    return version.partition("+")[0]


def find_device(precision: str) -> DeviceProperties:
    """Return what trials run on: the weakest GPU of the Ray session, else a processor.

    A process on each node with GPUs looks at one of them; those of a node are taken to be alike.

    Args:
        precision: ``auto``, or the number format that the experiment asks for.

    Raises:
        ClusterError: If a node's GPU cannot be used, or does not compute in that format.
    """
    found = []
    for node in _alive():
        if not node["Resources"].get("GPU"):
            continue
        address = node["NodeManagerAddress"]
        try:
            device = ray.get(_describe_there(node["NodeID"]), timeout=_GPU_PATIENCE)
        except (RayError, GetTimeoutError) as error:
            reason = str(error).strip().splitlines()[-1]
            raise ClusterError(f"{address}: its GPU did not answer: {reason}") from error
        refused = refuse_gpu(device, precision)
        if refused is not None:
            raise ClusterError(f"{address}: {refused}")
        found.append(device)
    return weakest(found) if found else describe_device(torch.device("cpu"))


def _describe_there(node: str) -> ray.ObjectRef:
    there = NodeAffinitySchedulingStrategy(node, soft=False)
    describe = ray.remote(num_gpus=1, num_cpus=0, max_retries=0)(_describe_as)
    return describe.options(scheduling_strategy=there).remote(node)


def _describe_as(node: str) -> DeviceProperties:
    return replace(describe_device(), node=node)


def weakest(devices: Sequence[DeviceProperties]) -> DeviceProperties:
    """Return the GPU with the least memory, with no more abilities than all of them have.

    Args:
        devices: GPUs of the nodes, at least one; a node without a usable one has its processor.
    """
    smallest = min(devices, key=lambda device: device.memory)
    return replace(
        smallest,
        capability=min(device.capability for device in devices),
        bfloat16=all(device.bfloat16 for device in devices),
    )
