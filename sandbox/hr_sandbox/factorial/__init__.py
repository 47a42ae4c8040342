"""Factorial: all list endpoints of the live versions of its API, and OAuth."""

from hr_sandbox.factorial.vendor import Factorial

__all__ = ["Factorial"]
