"""Copies the tables of a DuckDB file for a data lake: as Parquet files with a manifest, or as Apache Iceberg tables."""
