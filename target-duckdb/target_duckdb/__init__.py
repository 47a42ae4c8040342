"""Singer target for DuckDB: every row and value arrives, rows and state in one transaction."""
