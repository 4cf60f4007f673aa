"""The execution context: what all trials share in Ray's object store, and each one's resources."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import ray
import torch
from ray.exceptions import GetTimeoutError, RayError

from models.split_parts import join, part_of_table
from tuning.config.experiment import TrialConfig
from tuning.data.prepared import Prepared
from tuning.execution.node_checks import check_nodes
from tuning.execution.progress import encoding_progress
from tuning.execution.ray_session import ClusterError
from tuning.execution.trial import TrialContext, input_key
from tuning.system.machine import count_cores, recall_rates
from tuning.tracking.launch_folder import LaunchSettings
from tuning.tracking.record import Launch
from tuning.training.cost import Speed, expected_speed, usual_rates
from tuning.training.gpu_memory import measure_share
from tuning.training.inputs import SharedInputs, build_inputs, without_test

_PATIENCE = 300.0  # seconds for a node to measure a training step


@dataclass(frozen=True, kw_only=True)
class ExecutionContext:
    """What a launch's trials need to run: made once for each launch, inside a Ray session.

    Attributes:
        launch: Launch that the trials belong to.
        trial_context: Inputs and limits that every trial gets.
        resources: CPU cores and share of a GPU that Ray reserves for each trial.
    """

    launch: Launch
    trial_context: TrialContext
    resources: Mapping[str, float]

    @property
    def settings(self) -> LaunchSettings:
        """Return the locations that the launch writes to."""
        return self.launch.settings

    @property
    def speed(self) -> Speed:
        """Return what trials are expected to reach on this machine's cores, without a GPU."""
        rates = recall_rates(self.settings.cache) or usual_rates(count_cores())
        return expected_speed(rates, self.launch.precision)


def open_context(launch: Launch, *, with_test: bool = True) -> ExecutionContext:
    """Build what the trials share, put it into Ray's object store, and return the context.

    Needs a Ray session. On one machine trials map the file of the states; each node of a cluster
    gets a copy of them, which its trials read in place.

    Args:
        launch: Launch that the trials belong to.
        with_test: Whether trials get the test split; those of a search do not.

    Raises:
        ClusterError: If a node of the cluster cannot run trials, or no GPU could be measured.
        DiskError: If the driver cannot write the results or the cached states.
    """
    prepared, settings = launch.prepared, launch.settings
    if settings.address is not None:
        check_nodes(settings, launch.console)
    references: dict[tuple[int, str, bool], ray.ObjectRef] = {}
    resources: dict[str, float] = {"cpu": 1}
    for trial in prepared.input_variants:
        with encoding_progress(launch.console, prepared, trial) as advance:
            inputs = build_inputs(prepared, trial, launch.precision, settings.output, advance)
        if settings.address is not None:  # other machines have no such file
            inputs = in_memory(inputs)
        if prepared.depth_of(trial) == prepared.depths[0]:  # they train most and set the share
            found = trial_resources(prepared, inputs, trial)
            resources = max(resources, found, key=lambda each: each.get("gpu", 0))
        shared = inputs if with_test else without_test(inputs)
        if prepared.components is not None:
            shared = with_pool(shared, prepared.components)
        references[prepared.variant_of(trial)] = ray.put(shared)
    trial_context = TrialContext(
        inputs={
            input_key(trial): references[prepared.variant_of(trial)] for trial in prepared.trials
        },
        threads=int(resources["cpu"]),
        storage=settings.storage,
    )
    return ExecutionContext(launch=launch, trial_context=trial_context, resources=resources)


def in_memory(inputs: SharedInputs) -> SharedInputs:
    """Return the inputs with the states themselves, as Ray copies them to other machines."""
    splits = {
        name: split if split.states is None else replace(split, states=np.asarray(split.states))
        for name, split in inputs.splits.items()
    }
    return replace(inputs, splits=splits)


def with_pool(inputs: SharedInputs, components: np.ndarray) -> SharedInputs:
    """Return the inputs with the pool that trials divide into folds.

    Train and validation become views of the pool, so that their states are kept once.

    Args:
        inputs: Inputs of trials.
        components: Code of what stays together of each pair of train, then of validation.
    """
    train, validation = inputs.splits["train"], inputs.splits["validation"]
    pool = join(train, validation, components)
    pairs = np.split(np.arange(len(components)), [train.table.pairs])
    views = {
        name: replace(
            inputs.splits[name], table=part_of_table(pool.table, own), states=pool.states
        )
        for name, own in zip(("train", "validation"), pairs, strict=True)
    }
    return replace(inputs, splits={**inputs.splits, **views}, pool=pool)


def trial_resources(
    prepared: Prepared, inputs: SharedInputs, variant: TrialConfig
) -> dict[str, float]:
    """Return what Ray reserves for each trial: a core, and a share of a GPU where there are GPUs.

    Args:
        prepared: Experiment with its trials.
        inputs: Shared inputs of one variant.
        variant: Trial of that variant, from ``Prepared.input_variants``.

    Raises:
        ClusterError: If the share is to be measured and no node's GPU could do so.
    """
    gpus = ray.cluster_resources().get("GPU", 0)
    if not gpus:
        return {"cpu": 1}
    share = prepared.experiment.gpus_per_trial
    if share == "auto":
        here = torch.cuda.is_available()
        measure = measure_share if here else _measure_on_a_node
        share = measure(largest_trial(prepared, variant), inputs)
    return {"cpu": 1, "gpu": float(share)}


def largest_trial(prepared: Prepared, variant: TrialConfig) -> TrialConfig:
    """Return the trial with the largest batches among those that share a variant's inputs."""
    wanted = prepared.variant_of(variant)
    trials = [trial for trial in prepared.trials if prepared.variant_of(trial) == wanted]
    return max(trials, key=lambda trial: trial.batch_size)


def _measure_on_a_node(trial: TrialConfig, inputs: SharedInputs) -> float:
    """Return what ``measure_share`` measures on a node of the cluster that has a GPU.

    Raises:
        ClusterError: If the step fails there, or no node answers in time.
    """
    measure = ray.remote(num_gpus=1, max_retries=0)(measure_share)
    try:
        return ray.get(measure.remote(trial, inputs), timeout=_PATIENCE)
    except (RayError, GetTimeoutError) as error:
        reason = str(error).strip().splitlines()[-1]
        raise ClusterError(
            f"gpus_per_trial: auto: could not be measured on a node's GPU: {reason}; set the "
            "share of a trial yourself, as --set gpus_per_trial=0.5"
        ) from error


def concurrent_trials(context: ExecutionContext) -> int:
    """Return the number of trials that the cores and GPUs of the Ray session run at a time."""
    available = ray.cluster_resources()
    needs = {"CPU": context.resources["cpu"], "GPU": context.resources.get("gpu", 0)}
    return max(1, min(int(available.get(kind, 0) / need) for kind, need in needs.items() if need))
