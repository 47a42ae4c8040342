"""The pages of the HR models, from their descriptions in the dbt project."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from docsite.text import escape_cell, make_table

ROOT = Path(__file__).parent.parent / "models"
FOLDER = "reference/models"
SCHEMAS = {"hr": "hr", "metrics": "hr_metrics"}
"""The schema that the models of a folder are built into."""
CLASSES = {
    "I": "direct identifier",
    "P": "personal",
    "S": "special or sensitive",
    "O": "organisational",
    "T": "technical",
}


@dataclass(frozen=True)
class Model:
    """A model as dbt's properties describe it.

    Args:
        name: Its name.
        schema: The schema of its table.
        properties: What the properties say about it.
        sql: How it is made, as a template of dbt.
    """

    name: str
    schema: str
    properties: dict[str, Any]
    sql: str


@cache
def models() -> dict[str, Model]:
    """The models that have a page, by name."""
    found = {}
    for folder, schema in SCHEMAS.items():
        properties = YAML(typ="safe").load(ROOT / "models" / folder / f"{folder}.yml")
        for item in properties["models"]:
            sql = (ROOT / "models" / folder / f"{item['name']}.sql").read_text()
            found[item["name"]] = Model(item["name"], schema, item, sql)
    return found


def pages() -> dict[str, str]:
    """The pages of the models, by their path in the site."""
    return {f"{FOLDER}/{name}.md": _page(model) for name, model in models().items()}


def _page(model: Model) -> str:
    columns = [
        (f"`{column['name']}`", CLASSES[column["config"]["meta"]["class"]], escape_cell(column["description"]))
        for column in model.properties["columns"]
    ]
    key = next((test["is_key"] for test in model.properties.get("data_tests", []) if "is_key" in test), None)
    parts = [
        f"# {model.name}",
        f"`{model.schema}.{model.name}` · a table of the [HR models](../models.md)",
        model.properties["description"],
        "Key: " + ", ".join(f"`{name}`" for name in key["arguments"]["columns"]) + "." if key else "",
        "## Columns",
        make_table(("column", "protection class", "description"), columns),
        "## How it is made",
        f"```sql\n{model.sql.strip()}\n```",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"
