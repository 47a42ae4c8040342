"""Rows with data of the company. Missing fields are generated."""

from importlib import import_module

from hr_sandbox.factorial.rows.common import builds as BUILDERS  # noqa: N812  complete after the imports below

__all__ = ["BUILDERS"]

for _name in ("attendance", "contracts", "documents", "hiring", "pay", "people", "projects", "structure", "time_off"):
    import_module(f"{__package__}.{_name}")
