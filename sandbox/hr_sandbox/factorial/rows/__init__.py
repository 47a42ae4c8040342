"""Rows with data of the company. Missing fields are generated."""

from importlib import import_module
from pkgutil import iter_modules

from hr_sandbox.factorial.rows.common import builds as BUILDERS  # noqa: N812  complete after the imports below

__all__ = ["BUILDERS"]

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")
