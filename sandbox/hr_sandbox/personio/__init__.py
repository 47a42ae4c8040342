"""Personio's API: v2, and the read endpoints of v1."""

from hr_sandbox.personio.vendor import Personio

__all__ = ["Personio"]
