"""Singer target for DuckDB: lossless and typed, with rows and state committed in one transaction."""
