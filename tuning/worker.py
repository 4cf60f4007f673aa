"""What a trial's process imports before it gets a trial: Ray's setting names this module."""

from tuning.system.imports import without_collection

with without_collection():
    import tuning.execution.trial  # noqa: F401
