"""Guards examples in the PDF: none is longer than a page, since none is torn apart."""

from analysis.compared_chapters import for_print
from analysis.error_tables import SHOWN

LONG = "word " * SHOWN


def test_texts_and_nearest_pairs_of_an_example_are_shortened() -> None:
    words = [{"text": "word", "change": None}] * SHOWN
    pair = {"first": LONG, "second": "short", "label": 1, "similarity": 0.5}
    example = {"first": LONG, "second": "short", "first_words": words, "nearest": [pair]}
    shown = for_print(example)
    assert sum(len(word["text"]) + 1 for word in shown["sides"][0]) <= SHOWN + 2
    assert shown["sides"][1][0]["text"] == "short"
    (nearest,) = shown["nearest"]
    assert len(nearest["first"]) == SHOWN
    assert nearest["first"].endswith("…")
    assert {name: nearest[name] for name in pair if name != "first"} == {
        "second": "short", "label": 1, "similarity": 0.5}  # fmt: skip
    assert example["nearest"][0]["first"] == LONG  # the page for a screen has all of it
