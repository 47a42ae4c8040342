"""The settings, with the names of the published DuckDB target where they exist there."""

from __future__ import annotations

from singer_sdk import typing as th

_OPTIONS = {
    "type": "object",
    "propertyNames": {"pattern": "^[A-Za-z_][A-Za-z0-9_]*$"},
    "additionalProperties": {"type": ["string", "number", "boolean"]},
}
_RETENTION = {"type": "object", "additionalProperties": {"type": "integer", "minimum": 0}}
_ATTACHMENT = {
    "type": ["string", "object"],
    "properties": {"path": {"type": "string"}, "alias": {"type": "string"}, "options": _OPTIONS},
    "required": ["path"],
    "additionalProperties": False,
}

SETTINGS = th.PropertiesList(
    th.Property(
        "path",
        th.StringType,
        title="Path",
        description=(
            "The DuckDB file to load into; required, under this name or as `filepath`. The file and its folder are "
            "created if they do not exist; a new file has mode 0600, an existing one keeps its mode."
        ),
    ),
    th.Property("filepath", th.StringType, title="File Path", description="Another name for `path`."),
    th.Property(
        "default_target_schema",
        th.StringType,
        default="main",
        title="Default Target Schema",
        description="The schema of all tables.",
    ),
    th.Property(
        "batch_size_rows",
        th.IntegerType(minimum=1),
        default=122_880,
        title="Batch Size Rows",
        description=(
            "The number of rows, of all streams together, after which a batch is committed. DuckDB stores rows in"
            " groups of 122,880: batches of whole groups are committed fastest."
        ),
    ),
    th.Property(
        "add_metadata_columns",
        th.BooleanType,
        default=False,
        title="Add Metadata Columns",
        description=(
            "Whether to fill `_sdc_extracted_at`, `_sdc_received_at`, `_sdc_batched_at`, `_sdc_sequence` (milliseconds "
            "since 1970), `_sdc_table_version` and `_sdc_deleted_at`. The last two are always filled if a stream sends "
            "versions. If the tap's schema has one of these columns, the tap's values are kept."
        ),
    ),
    th.Property(
        "load_method",
        th.StringType,
        default="upsert",
        allowed_values=["upsert", "append-only", "overwrite"],
        title="Load Method",
        description=(
            "`upsert`: a record replaces the row with the same key. `append-only`: rows are only appended. `overwrite`:"
            " rows with a version are loaded into a staging table, which replaces the table when the version is"
            " activated."
        ),
    ),
    th.Property(
        "hard_delete",
        th.BooleanType,
        default=False,
        title="Hard Delete",
        description="Whether deleted rows are removed instead of marked in `_sdc_deleted_at`.",
    ),
    th.Property(
        "on_bad_record",
        th.StringType,
        default="set_aside",
        allowed_values=["set_aside", "fail"],
        title="On Bad Record",
        description=(
            "What to do with a record that cannot be loaded, such as one without a value for its key. `set_aside`: add"
            " it to the table `_rejected` and continue. `fail`: end the run."
        ),
    ),
    th.Property(
        "on_fragment",
        th.StringType,
        default="warn",
        allowed_values=["warn", "fail"],
        title="On Fragment",
        description=(
            "What to do with a table that is created while the tap continues from an older state, so that it lacks all"
            " rows that have not changed since. `warn`: load it with a warning. `fail`: end the run."
        ),
    ),
    th.Property(
        "primary_key_required",
        th.BooleanType,
        default=False,
        title="Primary Key Required",
        description="Whether a stream without key properties is an error.",
    ),
    th.Property(
        "data_flattening_max_level",
        th.IntegerType(minimum=0),
        default=0,
        title="Flattening Level",
        description=(
            "How many levels of nested objects are flattened into columns such as `address__city`; 0 disables"
            " flattening."
        ),
    ),
    th.Property(
        "nested",
        th.StringType,
        default="json",
        allowed_values=["json", "native"],
        title="Nested Values",
        description=(
            "`json`: objects and arrays are stored as JSON. `native`: those whose schema lists their properties or"
            " items become STRUCT and LIST columns."
        ),
    ),
    th.Property(
        "remove_batch_files",
        th.BooleanType,
        default=False,
        title="Remove Batch Files",
        description="Whether files of BATCH messages are removed once their records are committed.",
    ),
    th.Property(
        "storage_version",
        th.CustomType({"type": "string", "pattern": r"^(v\d+\.\d+\.\d+|latest)$"}),
        title="Storage Version",
        description=(
            "The DuckDB version, such as `v1.0.0`, that must be able to read a new file; by default that of the"
            " installed DuckDB. An existing file keeps its own."
        ),
    ),
    th.Property(
        "lock_timeout",
        th.IntegerType(minimum=0),
        default=60,
        title="Lock Timeout",
        description="Seconds to wait for a file that another process has open.",
    ),
    th.Property(
        "memory_limit",
        th.StringType,
        default="512MB",
        title="Memory Limit",
        description=(
            "The memory limit in DuckDB's notation. Most batches use up to 160 MB of it; a batch that needs more is "
            "retried with the whole limit. Python needs about 100 MB in addition."
        ),
    ),
    th.Property(
        "temp_dir",
        th.StringType,
        title="Temporary Folder",
        description="Where records are spooled until they are committed; by default the system's temporary folder.",
    ),
    th.Property(
        "state_id",
        th.StringType,
        title="State ID",
        description=(
            "Identifies the row of the table `_singer_state`; by default the schema's name. Taps that share a schema "
            "need different IDs."
        ),
    ),
    th.Property(
        "tombstone_key_file",
        th.StringType,
        title="Tombstone Key File",
        description=(
            "A private file with the key by which loads recognize and leave out people who were removed by `forget`."
            " Needed by `forget`, which creates it, and by all later loads into that DuckDB file."
        ),
    ),
    th.Property(
        "retention",
        th.CustomType(_RETENTION),
        title="Retention",
        description=(
            "How many months after the end of an employment `retain` keeps values: by protection class, such as `pay`,"
            " or by table, such as `tap_personio.compensations`."
        ),
    ),
    th.Property(
        "token",
        th.StringType,
        secret=True,
        title="MotherDuck Token",
        description="A MotherDuck token, for databases whose path starts with `md:`.",
    ),
    th.Property(
        "attach",
        th.ArrayType(th.CustomType(_ATTACHMENT)),
        secret=True,  # a path may contain a password
        title="Attach",
        description=(
            "Databases to attach, including DuckLake: paths, or objects with `path`, `alias` and `options` (those of"
            " ATTACH)."
        ),
    ),
    th.Property(
        "catalog",
        th.StringType,
        title="Catalog",
        description="The database that the tables are loaded into: an alias of `attach`; by default that of `path`.",
    ),
)
