"""Personio's API v1: what v2 lacks, and the older endpoints for what both have."""

from hr_sandbox.personio.v1.api import V1

__all__ = ["V1"]
