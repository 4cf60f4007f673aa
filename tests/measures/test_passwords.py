"""Guards passwords: they are hidden wherever they stand in a URL, and nothing else is."""

import pytest

from measures.passwords import hide_passwords


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql://me:p4ss@db:5432/x", "postgresql://me:***@db:5432/x"),
        ("postgresql://me:p4:s@s@db/x", "postgresql://me:***@db/x"),
        ("https://:token@host/", "https://:***@host/"),
        ("mysql://h/x?user=me&password=p4ss&ssl=1", "mysql://h/x?user=me&password=***&ssl=1"),
        ("at http://a:b@c and http://d:e@f", "at http://a:***@c and http://d:***@f"),
        ("sqlite:////a/b.db", "sqlite:////a/b.db"),
        ("http://127.0.0.1:5000/a@b", "http://127.0.0.1:5000/a@b"),
    ],
)
def test_passwords_are_hidden_and_the_rest_is_kept(text: str, shown: str) -> None:
    assert hide_passwords(text) == shown
