"""Builds the bodies of responses from records."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hr_sandbox.http.messages import Json


def pick_fields(record: object, *names: str, **renamed: str) -> Json:
    """Return fields of a record as members of a body: under their own names, or as `member="field"`."""
    fields = {**dict(zip(names, names, strict=True)), **renamed}
    return {member: getattr(record, field) for member, field in fields.items()}
