"""Rows with data of the company, by view and object."""

from importlib import import_module

from hr_sandbox.cornerstone.rows.common import builds as BUILDERS  # noqa: N812  complete after the imports below

__all__ = ["BUILDERS"]

for _name in ("learning", "other", "people", "units"):
    import_module(f"{__package__}.{_name}")
