"""Where trials run: what all of them share, put into a Ray session, and what each is given."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import ray
import torch
from ray.exceptions import GetTimeoutError, RayError

from models.batches import SplitArrays
from models.classifier import Classifier
from tuning.config.experiment import TrialConfig
from tuning.data.prepared import Prepared
from tuning.execution.node_checks import check_nodes
from tuning.execution.progress import encoding_progress
from tuning.execution.ray_session import ClusterError
from tuning.execution.trial import TrialContext
from tuning.tracking.launch_folder import LaunchSettings
from tuning.tracking.record import Launch
from tuning.training.builders import build_classifier, build_optimizer, parameter_groups
from tuning.training.inputs import LoadedSplit, SharedInputs, build_inputs, without_test
from tuning.training.trainer import batch_loss

_PATIENCE = 300.0  # seconds for a node to measure a step


@dataclass(frozen=True, kw_only=True)
class ExecutionContext:
    """Where the trials of a launch run: made once a launch, inside a Ray session.

    ``trial_context`` is what every trial is given, ``resources`` what Ray reserves for each.
    """

    launch: Launch
    trial_context: TrialContext
    resources: Mapping[str, float]

    @property
    def settings(self) -> LaunchSettings:
        """Return where the launch writes."""
        return self.launch.settings


def open_context(launch: Launch, *, with_test: bool = True) -> ExecutionContext:
    """Build what trials share and put it where each finds it, once; needs a Ray session.

    The driver keeps no copy, and each node of a cluster gets one, which its trials read in place.

    Args:
        launch: The launch that the trials belong to.
        with_test: Whether trials get the test split; those of a search do not.
    """
    prepared, settings = launch.prepared, launch.settings
    if settings.address is not None:
        check_nodes(settings, launch.console)
    references: dict[int, ray.ObjectRef] = {}
    resources: dict[str, float] = {}
    for depth in prepared.depths:
        with encoding_progress(launch.console, prepared, depth) as advance:
            inputs = build_inputs(prepared, depth, settings.output, advance)
        # the fewest frozen layers come first, and train the most
        resources = resources or trial_resources(prepared, inputs, depth)
        references[depth] = ray.put(inputs if with_test else without_test(inputs))
    depths = {trial.freezing: prepared.depth_of(trial) for trial in prepared.trials}
    trial_context = TrialContext(
        inputs={str(freezing): references[depth] for freezing, depth in depths.items()},
        threads=int(resources["cpu"]),
        storage=settings.storage,
    )
    return ExecutionContext(launch=launch, trial_context=trial_context, resources=resources)


def trial_resources(prepared: Prepared, inputs: SharedInputs, depth: int) -> dict[str, float]:
    """Return what Ray gives each trial: a core, or a core and a measured share of a GPU.

    Args:
        prepared: The experiment.
        material: Of the trials that need the most memory.
        depth: Their number of frozen layers.
    """
    gpus = ray.cluster_resources().get("GPU", 0)
    if not gpus:
        return {"cpu": 1}
    share = prepared.experiment.gpus_per_trial
    if share == "auto":
        trials = [trial for trial in prepared.trials if prepared.depth_of(trial) == depth]
        largest = max(trials, key=lambda trial: trial.batch_size)
        here = torch.cuda.is_available()
        share = (measure_share if here else _measure_on_a_node)(largest, inputs)
    return {"cpu": 1, "gpu": float(share)}


def measure_share(trial: TrialConfig, inputs: SharedInputs) -> float:
    """Return the fraction of this machine's GPU that a trial needs, by a step of training."""
    model = build_classifier(trial, inputs)
    peak = measure_peak_bytes(model, inputs.splits["train"], trial)
    share = gpu_share(peak, torch.cuda.get_device_properties(0).total_memory)
    torch.cuda.empty_cache()
    return share


def _measure_on_a_node(trial: TrialConfig, inputs: SharedInputs) -> float:
    """Return the same of a GPU in the cluster, where this machine has none.

    Raises:
        ClusterError: If no node's GPU takes the step.
    """
    measure = ray.remote(num_gpus=1, max_retries=0)(measure_share)
    try:
        return ray.get(measure.remote(trial, inputs), timeout=_PATIENCE)
    except (RayError, GetTimeoutError) as error:
        reason = str(error).strip().splitlines()[-1]
        raise ClusterError(
            f"gpus_per_trial: auto: could not be measured on a node's GPU: {reason}; say how much "
            "a trial gets, as --set gpus_per_trial=0.5"
        ) from error


_HEADROOM = 1.25  # allocators fragment, and the longest batch may not have been the largest
_CONTEXT_BYTES = 600 * 2**20  # what a process holds on a GPU before its first tensor


def gpu_share(peak_bytes: int, total_bytes: int) -> float:
    """Return the fraction of a GPU that a trial of this peak memory needs: 1 / whole number."""
    needed = peak_bytes * _HEADROOM + _CONTEXT_BYTES
    return 1 / max(1, math.floor(total_bytes / needed))


def measure_peak_bytes(model: Classifier, split: SplitArrays, config: TrialConfig) -> int:
    """Return the peak memory of one training step on the GPU, on the longest rows.

    ``model`` is trained by this step: give one that is thrown away.
    """
    device = torch.device("cuda")
    torch.cuda.reset_peak_memory_stats()
    model.to(device).train()
    loaded = LoadedSplit(split, config, device)
    optimizer = build_optimizer(parameter_groups(model, config), config)
    longest = (-loaded.reader.lengths).argsort()[: config.batch_size]
    batch = loaded.reader.read(longest)
    batch_loss(model, batch, loaded.targets_of(batch), config.r_drop).backward()
    optimizer.step()
    return torch.cuda.max_memory_allocated()


def concurrent_trials(context: ExecutionContext) -> int:
    """Return how many trials run at a time: as many as cores, or shares of GPUs, allow."""
    have = ray.cluster_resources()
    wanted = {"CPU": context.resources["cpu"], "GPU": context.resources.get("gpu", 0)}
    return max(1, min(int(have.get(kind, 0) / need) for kind, need in wanted.items() if need))
