"""Personio's API v1, as far as v2 lacks what it has."""

from hr_sandbox.personio.v1.api import V1

__all__ = ["V1"]
