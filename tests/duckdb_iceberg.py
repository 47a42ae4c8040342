"""Copies Iceberg tables into a DuckDB file by DuckDB's own extension, which exists for another version than ours.

`tests/test_lake.py` runs it in an environment of its own. Standard input is JSON with `out`, `tables` (schema, name and
address of the metadata) and, for S3, `secret`.
"""

import json
import sys
from importlib.util import find_spec
from pathlib import Path

import duckdb

wanted = json.load(sys.stdin)
with duckdb.connect(wanted["out"]) as connection:
    for name in ("avro", "httpfs", "iceberg"):
        package = Path(find_spec(f"duckdb_extension_{name}").origin).parent
        connection.execute(f"LOAD '{package}/extensions/v{duckdb.__version__}/{name}.duckdb_extension'")
    connection.execute("SET TimeZone = 'UTC'")
    if secret := wanted.get("secret"):
        options = ", ".join(f"{name} '{value}'" for name, value in secret.items())
        connection.execute(f"CREATE SECRET (TYPE s3, USE_SSL false, URL_STYLE 'path', {options})")
    for schema, name, location in wanted["tables"]:
        connection.execute(f'CREATE SCHEMA IF NOT EXISTS "{schema}"')
        connection.execute(f'CREATE TABLE "{schema}"."{name}" AS FROM iceberg_scan(\'{location}\')')
