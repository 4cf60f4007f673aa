"""The small predictions and pairs that the tests of the analysis use too."""

from tests.analysis.conftest import pairs, predictions

__all__ = ["pairs", "predictions"]
