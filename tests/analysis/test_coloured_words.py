"""Guards how much of an example's texts is shown, and in what colours."""

from analysis.coloured_words import coloured


def test_words_are_coloured_by_their_share_of_the_largest_change() -> None:
    example = {
        "first_words": [{"text": "red", "change": -1.0}, {"text": "car", "change": 0.25}],
        "second": "unmeasured text",
    }
    (red, car), (second,) = coloured(example)
    assert (red["tone"], red["change"], red["printed"]) == ("for", "−1.00", True)
    assert (car["tone"], car["printed"]) == ("against", False)
    assert (red["opacity"], car["opacity"]) == (0.55, 0.138)
    assert (second["text"], second["tone"]) == ("unmeasured text", "")


def test_a_long_text_is_cut_between_words_and_one_without_spaces_within() -> None:
    words = [{"text": text, "change": 0.5} for text in ("a", "red", "car")]
    shown = coloured({"first_words": words, "second": "x" * 500}, most=7)
    assert [[word["text"] for word in side] for side in shown] == [
        ["a", "red", "…"],
        ["xxxxxx…"],
    ]
    whole = coloured({"first_words": words, "second": "x" * 500})
    assert [len(side) for side in whole] == [3, 1]
    assert len(whole[1][0]["text"]) == 500
