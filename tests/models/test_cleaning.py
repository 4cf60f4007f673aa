"""Guards the cleaning: each step repairs what it is for and changes nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.cleaning import (
    STEPS,
    changes,
    clean,
    join_spaces,
    mend_html_quotes,
    normalise_unicode,
    strip_bullets,
)


def all_steps_but(**steps: bool) -> dict[str, bool]:
    """Return a choice of steps: all but those that are given as False."""
    return {**dict.fromkeys(STEPS, True), **steps}


def test_a_broken_quotation_mark_is_mended_and_an_ampersand_stays() -> None:
    assert mend_html_quotes('typically &"processed&" r&d') == 'typically "processed" r&d'


def test_ligatures_and_wide_letters_get_their_plain_form() -> None:
    assert normalise_unicode("ﬁle ２ x²") == "file 2 x2"


@pytest.mark.parametrize("mark", ["-", "- ", "• ", "* -", "– ", " ·  ", "●"])
def test_a_bullet_at_the_start_is_stripped(mark: str) -> None:
    assert strip_bullets(f"{mark}a well-known bug - fixed") == "a well-known bug - fixed"


@pytest.mark.parametrize("text", ["-5 is negative", "a - b", "3. step", "#include"])
def test_what_is_no_bullet_stays(text: str) -> None:
    assert strip_bullets(text) == text


def test_white_space_becomes_single_spaces() -> None:
    assert join_spaces("  a\t b\n\nc ") == "a b c"


def test_each_step_can_be_switched_off() -> None:
    text = '- ﬁle  &"x'
    assert clean(text, all_steps_but()) == 'file "x'
    assert clean(text, all_steps_but(html_quotes=False)) == 'file &"x'
    assert clean(text, all_steps_but(unicode=False)) == 'ﬁle "x'
    assert clean(text, all_steps_but(bullets=False)) == '- file "x'
    assert clean(text, all_steps_but(spaces=False)) == 'file  "x'


def test_the_steps_that_change_a_text_are_named() -> None:
    assert changes('- ﬁle &"x', all_steps_but()) == ["html_quotes", "unicode", "bullets"]
    assert changes("- a  b", all_steps_but(bullets=False)) == ["spaces"]
    assert changes("a plain text", all_steps_but()) == []


@given(st.text(max_size=40))
def test_cleaned_text_has_single_spaces_and_no_bullet(text: str) -> None:
    cleaned = clean(text, all_steps_but())
    assert cleaned == join_spaces(cleaned)
    assert not cleaned.startswith(("•", "*", "–"))
