"""A JSON Schema per stream."""
