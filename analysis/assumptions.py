"""What the report takes for granted, and what its numbers cannot tell."""

from __future__ import annotations

_ALWAYS = (
    "A pair's label is taken as true, although annotators may disagree on many pairs; no "
    "classifier can be right on all of them.",
    "Intervals treat entities as the independent units, and the seeds shown as a sample of all "
    "seeds; with few seeds the spread over seeds is itself uncertain.",
    "The interval of a difference and its p-value are of one bootstrap over new seeds and new "
    "entities. A difference is claimed only if the p-value is below .05 after Holm's correction, "
    "for F1 by itself and for each other score by itself; intervals are not corrected. The "
    "threshold chosen on validation is the primary one. A model with one seed gets an interval of "
    "entities alone, too narrow, and no claim.",
    "Choosing trials by validation F1 makes that number optimistic; test scores are not affected, "
    "since the test split takes no part in any choice of the program.",
)
_PARADE = (
    "While the program was developed, its heads and the card of the embedded encoder were judged "
    "with scores of this data set's test split in view."
)


def assumptions(data: str) -> list[str]:
    """Return what the report assumes, and the limits of its numbers.

    Args:
        data: Name of the data set as the log has it.
    """
    return [*_ALWAYS, _PARADE] if "parade" in data.lower() else list(_ALWAYS)
