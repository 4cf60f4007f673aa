"""What a trial's process imports before it gets a trial: Ray's setting names this module."""

import os

from tuning.system.imports import without_collection

# Ray sets it for each trial's one core, which is too late for libraries that are imported here:
# they would start a thread for every core of the machine.
os.environ.setdefault("OMP_NUM_THREADS", "1")
with without_collection():
    import tuning.execution.trial  # noqa: F401
