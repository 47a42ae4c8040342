"""A JSON Schema per stream of the REST families."""
