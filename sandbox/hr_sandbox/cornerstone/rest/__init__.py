"""The REST families."""

from hr_sandbox.cornerstone.rest.routes import ROUTES, Rest, route_of

__all__ = ["ROUTES", "Rest", "route_of"]
