"""Guards the rules on what led to an error: true and false cases, and the evidence."""

import pandas as pd
import pytest

from analysis import causes


def pair(**changes: object) -> pd.Series:
    row = {"first": "red car", "second": "car", "label": 0, "votes": 0.0, "voters": 3}
    raw = {"raw_first": "red car", "raw_second": "car", "overlap": 0.3}
    return pd.Series({**row, **raw, "first_pieces": "red car", "second_pieces": "car", **changes})


OCCLUDED = {"log_odds": 1.0, "first": [["red", -1.5], ["car", 0.2]], "second": [["car", None]]}


def test_a_divided_vote_is_contested() -> None:
    assert causes.contested(pair(votes=1.0)) == [
        "The item is contested: 1 of 3 annotators called it a paraphrase."
    ]
    assert causes.contested(pair(votes=3.0)) == causes.contested(pair(votes=float("nan"))) == []


def test_a_word_that_crosses_the_threshold_flips_the_decision() -> None:
    assert causes.flips(OCCLUDED, 0.5) == [
        "One word flips the decision: without “red” the log-odds change by -1.50."
    ]
    assert causes.flips(OCCLUDED, 0.2) == []  # -0.5 is above the log-odds of .2
    assert causes.flips({}, 0.5) == []
    assert causes.flips(OCCLUDED, 0.0) == []  # as a classifier with probabilities of 0 chooses
    long = {"log_odds": 1.0, "first": [["x" * 500, -1.5]], "second": []}
    assert len(causes.flips(long, 0.5)[0]) < 150


@pytest.mark.parametrize(
    ("overlap", "label", "expected"),
    [
        (0.6, 0, ["It is no paraphrase and has many shared words (60 %)."]),
        (0.6, 1, []),
        (0.05, 1, ["It is a paraphrase with hardly any shared words (5 %)."]),
        (0.05, 0, []),
    ],
)
def test_overlap_misleads_only_against_the_label(
    overlap: float, label: int, expected: list[str]
) -> None:
    assert causes.by_overlap(pair(overlap=overlap, label=label)) == expected


def test_an_aspect_of_one_text_has_no_counterpart_in_the_other() -> None:
    short, long = "a red car", "the red cars that are driven quickly at night"
    assert causes.one_sided_aspect(short, long) == [
        "An aspect stands on one side only, as far as spelling tells: “driven”, “quickly”, "
        "“night” of the second text have no counterpart in the other, 2 of whose 2 content words "
        "have one."
    ]
    assert "of the first text" in causes.one_sided_aspect(long, short)[0]
    assert causes.one_sided_aspect(short, "the blue ship that sails at night") == []  # both sides
    assert causes.one_sided_aspect(short, "red cars") == []
    assert causes.one_sided_aspect("", long) == []


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("up to 10 users", "some users", ["Only the first text has the number “10”."]),
        ("3 to 5 users", "users", ["Only the first text has the numbers “3”, “5”."]),
        ("some users", "2.5 users", ["Only the second text has the number “2.5”."]),
        ("3 users", "5 users", ["Each text has its own number: “3” the first, “5” the second."]),
        ("two users", "2 users", []),
        ("two, or 1,000 users", "2 or 1000 users", []),
        ("one of them", "1 of them", []),
        ("users", "users", []),
    ],
)
def test_a_number_on_one_side_is_named(first: str, second: str, expected: list[str]) -> None:
    assert causes.one_sided_number(first, second) == expected


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("it does not run", "it runs", ["Only the first text has the negation “not”."]),
        ("it runs", "it doesn't run", ["Only the second text has the negation “doesn't”."]),
        ("it never runs", "it does not run", []),
        ("no, no", "it runs", ["Only the first text has the negation “no”."]),
        ("it runs", "a knot", []),
    ],
)
def test_a_negation_on_one_side_is_named(first: str, second: str, expected: list[str]) -> None:
    assert causes.one_sided_negation(first, second) == expected


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("a head mounted display", "an hmd",
         ["One text has the initials “hmd” of what the other says: “head mounted display”."]),
        ("it uses HTML", "a page", ["Only the first text has the abbreviation “HTML”."]),
        ("a page", "random access memory (ram)",
         ["Only the second text has the abbreviation “ram”."]),
        ("a page", "a logistic probability unit (logit)",
         ["Only the second text has the abbreviation “logit”."]),
        ("a page", "connectors and repeaters (hubs)", []),
        ("the CPU does NOT run", "a cpu runs", []),
        ("they use it", "using specialized equipment", []),
        ("we IT is", "an HTML IT", ["Only the second text has the abbreviation “HTML”."]),
        ("ALL SHOUTED", "all shouted", []),
        ("one (or more)", "one", []),
    ],
)  # fmt: skip
def test_an_abbreviation_is_written_out_or_on_one_side(
    first: str, second: str, expected: list[str]
) -> None:
    assert causes.abbreviation(first, second) == expected


def test_words_of_unseen_pieces_are_named_whole() -> None:
    seen = {"super", "##im", "car"}
    assert causes.unseen_pieces("super ##im ##pose car", seen) == [
        "No training pair has all word pieces of “superimpose”."
    ]
    assert causes.unseen_pieces("super ##im car", seen) == []
    many = causes.unseen_pieces("a b c d e f g h a", seen)
    assert many[0].endswith("“f” and 2 more.")


def test_all_rules_that_hold_are_stated_and_their_absence_too() -> None:
    found = causes.find_causes(pair(votes=1.0, overlap=0.6), OCCLUDED, 0.5, {"car"})
    assert [sentence.split()[0] for sentence in found] == ["The", "One", "It", "No"]
    assert causes.find_causes(pair(), {}, 0.5, {"red", "car"}) == [causes.NO_RULE]
