"""The REST families."""

from hr_sandbox.cornerstone.rest.routes import ROUTES, Rest

__all__ = ["ROUTES", "Rest"]
