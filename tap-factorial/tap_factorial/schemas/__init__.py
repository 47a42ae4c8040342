"""A JSON Schema per list."""
