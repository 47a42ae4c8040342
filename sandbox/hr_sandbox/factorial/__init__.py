"""Factorial, as a customer's data team meets it: 169 lists in four versions."""

from hr_sandbox.factorial.vendor import Factorial

__all__ = ["Factorial"]
