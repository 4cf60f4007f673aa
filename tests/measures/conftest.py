"""Small predictions and pairs, shared with the tests of the analysis."""

from tests.analysis.conftest import pairs, predictions

__all__ = ["pairs", "predictions"]
