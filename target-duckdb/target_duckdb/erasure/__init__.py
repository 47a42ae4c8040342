"""The commands `forget` and `retain`: remove people from a DuckDB file, also from its free blocks."""
