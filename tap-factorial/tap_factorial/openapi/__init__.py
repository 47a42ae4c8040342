"""Turns Factorial's own descriptions of its API into the schemas and the table of lists."""
