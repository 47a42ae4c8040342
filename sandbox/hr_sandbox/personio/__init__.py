"""Personio's API: v2."""

from hr_sandbox.personio.vendor import Personio

__all__ = ["Personio"]
