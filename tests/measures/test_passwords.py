"""Guards passwords: they are hidden anywhere in a URL, and nothing else is."""

import pytest

from measures.passwords import first_line, hide_passwords


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql://me:p4ss@db:5432/x", "postgresql://me:***@db:5432/x"),
        ("postgresql://me:p4:s@s@db/x", "postgresql://me:***@db/x"),
        ("https://:token@host/", "https://:***@host/"),
        ("mysql://h/x?user=me&password=p4ss&ssl=1", "mysql://h/x?user=me&password=***&ssl=1"),
        ("at http://a:b@c and http://d:e@f", "at http://a:***@c and http://d:***@f"),
        ("postgresql://me:p4/s@db/x", "postgresql://me:***@db/x"),
        ("http://a:5000?x=b@c", "http://a:5000?x=b@c"),
        ("https://h/x?X-Amz-Signature=a&sig=b", "https://h/x?X-Amz-Signature=***&sig=***"),
        ("https://h/x?design=a", "https://h/x?design=a"),
        ("sqlite:////a/b.db", "sqlite:////a/b.db"),
        ("http://127.0.0.1:5000/a@b", "http://127.0.0.1:5000/a@b"),
    ],
)
def test_passwords_are_hidden_and_the_rest_is_kept(text: str, shown: str) -> None:
    assert hide_passwords(text) == shown


def test_an_error_is_shown_by_its_first_line_without_passwords() -> None:
    error = ValueError("\ncannot open postgresql://me:p4ss@db/x\n(Background on this error)")
    assert first_line(error) == "cannot open postgresql://me:***@db/x"
