"""Cursors cannot be changed, forged, or used for another path."""

from __future__ import annotations

import pytest
from hr_sandbox.personio.pages import CursorError, Cursors, Position

POSITION = Position("/v2/persons", {"updated_at.gt": "2024-01-01T00:00:00Z"}, 50, 100, "9603")


def test_a_cursor_contains_its_position() -> None:
    cursors = Cursors("secret")
    assert cursors.decode(cursors.encode(POSITION), "/v2/persons") == POSITION


def test_a_cursor_is_bound_to_its_path() -> None:
    cursors = Cursors("secret")
    with pytest.raises(CursorError):
        cursors.decode(cursors.encode(POSITION), "/v2/absence-periods")


def test_every_changed_cursor_is_rejected() -> None:
    cursors = Cursors("secret")
    cursor = cursors.encode(POSITION)
    for index in range(len(cursor)):
        changed = cursor[:index] + ("A" if cursor[index] != "A" else "B") + cursor[index + 1 :]
        with pytest.raises(CursorError):
            cursors.decode(changed, "/v2/persons")


@pytest.mark.parametrize("text", ["", "cur_", "cur_x", "cur_é", "2", "cur_AAAAAAAAAAAAAAAAAAAA"])
def test_forged_cursors_are_rejected(text: str) -> None:
    with pytest.raises(CursorError):
        Cursors("secret").decode(text, "/v2/persons")


def test_a_cursor_of_another_secret_is_rejected() -> None:
    with pytest.raises(CursorError):
        Cursors("other").decode(Cursors("secret").encode(POSITION), "/v2/persons")
