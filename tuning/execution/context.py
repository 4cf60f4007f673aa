"""The execution context: what all trials share in Ray's object store, and each one's resources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import ray
import torch
from ray.exceptions import GetTimeoutError, RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from models.frozen_pass import Advance, FrozenEncoder, FrozenPass, deepest, encode_each
from models.split_parts import in_memory, join, part_of_table, split_sequences
from models.tokens import Encoding, TokenTable
from tuning.config.experiment import TrialConfig
from tuning.data.prepared import Prepared
from tuning.execution.node_checks import check_nodes
from tuning.execution.progress import encoding_progress
from tuning.execution.ray_session import ClusterError
from tuning.execution.trial import TrialContext, device_of, input_key
from tuning.system.machine import count_cores, recall_rates
from tuning.tracking.launch_folder import LaunchSettings
from tuning.tracking.record import Launch
from tuning.training.activation_cache import States, cached_states
from tuning.training.cost import Speed, expected_speed, usual_rates
from tuning.training.gpu_memory import largest_trainings, measure_share, spread_share
from tuning.training.inputs import SharedInputs, share_inputs, without_test

_TOKENS_A_TASK = 1_000_000  # whose states, 1.5 GB of width 768, the object store has room for
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
    run, states = frozen_pass(launch), _states_of(launch)
    references: dict[tuple[int, str, bool], ray.ObjectRef] = {}
    resources: dict[str, float] = {"cpu": 1}
    for trial in prepared.input_variants:
        own = states.pop(prepared.variant_of(trial), {})
        inputs = share_inputs(prepared, trial, launch.precision, own, run)
        if settings.address is not None:  # other machines have no such file
            splits = {name: in_memory(split) for name, split in inputs.splits.items()}
            inputs = replace(inputs, splits=splits)
        found = trial_resources(launch, inputs, trial)
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
        gpu_share=resources.get("gpu", 0),
        storage=settings.storage,
    )
    return ExecutionContext(launch=launch, trial_context=trial_context, resources=resources)


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


def _states_of(launch: Launch) -> dict[tuple[int, Encoding, bool], States]:
    """Return the states of all variants of inputs, from one pass per encoding."""
    prepared, output, states = launch.prepared, launch.settings.output, {}
    for encoding in prepared.encoded:
        variants = [trial for trial in prepared.input_variants if trial.encoding == encoding]
        with encoding_progress(launch.console, prepared, variants) as advance:
            run = frozen_pass(launch, advance)
            states |= cached_states(prepared, variants, launch.precision, output, run)
    return states


def frozen_pass(launch: Launch, advance: Advance = lambda rows: None) -> FrozenPass:
    """Return where the frozen layers run: on the GPUs of the Ray session, else in this process.

    The driver uses no GPU itself: it may have none, and what it held, trials could not use.
    """
    on_gpus = encode_on_gpus if launch.device.kind == "cuda" else None
    return FrozenPass(device=torch.device(launch.device.kind), elsewhere=on_gpus, advance=advance)


def encode_on_gpus(
    outputs: Sequence[FrozenEncoder],
    table: TokenTable,
    advance: Advance,
    states: Sequence[np.ndarray] | None = None,
) -> list[np.ndarray]:
    """Return the states of every token of the table's sequences, from all GPUs of the session.

    A GPU gets a part of the sequences at a time, whose states are written where they belong when
    it is done, and its task ends with it: neither the GPU nor Ray holds memory. Args are those of
    ``encode_each``.

    Raises:
        ClusterError: If a part could not be encoded.
    """
    gpus, tokens = int(ray.cluster_resources()["GPU"]), len(table.tokens)
    tasks = max(1, gpus, len(outputs) * tokens // _TOKENS_A_TASK)
    parts = split_sequences(table.sequences, tasks)
    ends = np.cumsum([len(part.tokens) for part in parts])
    lower = partial(ray.get, ray.put(deepest(outputs).lower()))
    sent = [replace(each, lower=lower, elsewhere=None) for each in outputs]
    encode_part = ray.remote(num_gpus=1)(_encode_part)
    left = [encode_part.remote(sent, part) for part in parts]
    pending = dict(zip(left, zip(parts, ends, strict=True), strict=True))
    try:
        while left:
            (done,), left = ray.wait(left)
            part, end = pending.pop(done)
            found = ray.get(done)  # raises what ended it
            if states is None:
                states = [np.empty((tokens, each.shape[1]), each.dtype) for each in found]
            for position, target in enumerate(states):
                target[end - len(part.tokens) : end] = found[position]
            advance(part.rows)
            del done, found  # Ray keeps what is named
    except RayError as error:
        reason = str(error).strip().splitlines()[-1]
        raise ClusterError(f"the frozen layers could not run on a GPU: {reason}") from error
    assert states is not None, "there was a part"
    return list(states)


def _encode_part(outputs: Sequence[FrozenEncoder], part: TokenTable) -> list[np.ndarray]:
    device = device_of(ray.get_gpu_ids())
    return encode_each([replace(each, device=device) for each in outputs], part)


def trial_resources(
    launch: Launch, inputs: SharedInputs, variant: TrialConfig
) -> dict[str, float]:
    """Return what Ray reserves for each trial: a core, and a share of a GPU where there are GPUs.

    Args:
        launch: Launch that the trials belong to.
        inputs: Shared inputs of one variant.
        variant: Trial of that variant, from ``Prepared.input_variants``.

    Raises:
        ClusterError: If the share is to be measured and no node's GPU could do so.
    """
    prepared, available = launch.prepared, ray.cluster_resources()
    gpus, share = available.get("GPU", 0), prepared.experiment.gpus_per_trial
    if not gpus or (share == "auto" and launch.device.kind != "cuda"):
        return {"cpu": 1}  # there are none, or none that this torch can use
    if share == "auto":
        at_a_time = int(min(available["CPU"], _trials_of(prepared)))
        measured = _measure_on_a_node(launch, inputs, variant)
        share = spread_share(measured, int(gpus), at_a_time)
    return {"cpu": 1, "gpu": float(share)}


def _trials_of(prepared: Prepared) -> int:
    """Return the number of trials that could run at a time if there were cores enough."""
    search = prepared.experiment.search
    if search is None:
        return len(prepared.trials)
    return search.max_concurrent or search.num_samples


def _measure_on_a_node(launch: Launch, inputs: SharedInputs, variant: TrialConfig) -> float:
    """Return what ``measure_share`` measures on the node of the session with the weakest GPU.

    Raises:
        ClusterError: If the step fails there, or the node does not answer in time.
    """
    there = NodeAffinitySchedulingStrategy(launch.device.node, soft=True)
    trainings = largest_trainings(launch.prepared, variant)
    measure = ray.remote(num_gpus=1, max_retries=0)(measure_share)
    try:
        pending = measure.options(scheduling_strategy=there).remote(trainings, inputs)
        return ray.get(pending, timeout=_PATIENCE)
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
