"""Generates the schemas and the table of lists from Factorial's OpenAPI documents."""
