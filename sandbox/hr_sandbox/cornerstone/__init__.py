"""Cornerstone OnDemand: two OData services, the REST families, and tokens."""

from hr_sandbox.cornerstone.vendor import Cornerstone

__all__ = ["Cornerstone"]
