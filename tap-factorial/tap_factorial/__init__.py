"""Singer tap for Factorial."""
