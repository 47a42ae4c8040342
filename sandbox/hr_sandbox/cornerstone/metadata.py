"""The service documents and the `$metadata` of both OData services."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING
from xml.sax.saxutils import quoteattr

from hr_sandbox.cornerstone.tables import EXPORTER, NAMESPACES, ROOTS, list_entity_sets
from hr_sandbox.http.messages import Response, make_json_response

if TYPE_CHECKING:
    from hr_sandbox.cornerstone.portal import Portal
    from hr_sandbox.cornerstone.tables import Column, EntitySet
    from hr_sandbox.http.messages import Request

JSON_TYPE = "application/json; odata.metadata=minimal"
ODATA = {"odata-version": "4.0"}
EDM = "http://docs.oasis-open.org/odata/ns/edm"
HEAD = (
    '<?xml version="1.0" encoding="utf-8"?>\n'
    '<edmx:Edmx Version="4.0" xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx"><edmx:DataServices>\n'
)
TAIL = "</edmx:DataServices></edmx:Edmx>"


def make_service_document(service: str, root: str) -> Response:
    """Returns the list of all entity sets."""
    value = [{"name": row.name, "kind": "EntitySet", "url": row.name} for row in list_entity_sets(service)]
    body = {"@odata.context": f"{root}{ROOTS[service]}/$metadata", "value": value}
    response = make_json_response(body, media_type=JSON_TYPE)
    response.headers |= ODATA
    return response


class Metadata:
    """Generates `$metadata` and caches it until the portal changes."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal
        self.etags = False
        self._made: dict[str, tuple[int, bytes]] = {}

    def get_document(self, service: str) -> bytes:
        """Returns the XML document."""
        made = self._made.get(service)
        if made is None or made[0] != self._portal.version:
            made = (self._portal.version, self._write_document(service).encode())
            self._made[service] = made
        return made[1]

    def handle(self, service: str, request: Request) -> Response:
        """Returns the XML document, regardless of the `Accept` header."""
        body = self.get_document(service)
        headers = {"content-type": "application/xml", **ODATA}
        if self.etags:
            tag = f'W/"{blake2b(body, digest_size=8).hexdigest()}"'
            if request.headers.get("if-none-match") == tag:
                return Response(304, b"", {"etag": tag})
            headers["etag"] = tag
        return Response(200, body, headers)

    def _write_document(self, service: str) -> str:
        tables, namespace = list_entity_sets(service), NAMESPACES[service]
        types = "\n".join(self._write_type(table) for table in tables)
        sets = "".join(f'<EntitySet Name="{row.name}" EntityType="{namespace}.{row.name}"/>' for row in tables)
        text = (
            f'{HEAD}<Schema Namespace="{namespace}" xmlns="{EDM}">\n{types}\n'
            f'<EntityContainer Name="Container">{sets}</EntityContainer></Schema>\n'
        )
        if service == EXPORTER:
            notes = "\n".join(self._annotate_table(table, namespace) for table in tables)
            text += f'<Schema Namespace="ExtendedMetadata" xmlns="{EDM}">\n{notes}\n</Schema>\n'
        return text + TAIL

    def _write_type(self, table: EntitySet) -> str:
        lines = [f'<EntityType Name="{table.name}">']
        if table.key:
            lines.append("<Key>" + "".join(f'<PropertyRef Name="{name}"/>' for name in table.key) + "</Key>")
        for name, column in self._portal.list_columns(table).items():
            required = ' Nullable="false"' if name in table.key else ""
            lines.append(f'<Property Name="{name}" Type="{column.type}"{required}/>')
        return "\n".join([*lines, "</EntityType>"])

    def _annotate_table(self, table: EntitySet, namespace: str) -> str:
        """Returns the annotations of an object and its columns."""
        tracked = str(table.name in self._portal.tracked).lower()
        own = str("_cf_core" in table.name).lower()
        heading = table.name.removesuffix("_core").replace("_", " ").title()
        about = (
            _write_annotation("ObjectPublicName", table.name),
            _write_annotation("ObjectHeading", heading),
            f'<Annotation Term="ExtendedMetadata.ObjectSupportsChangeTracking" Bool="{tracked}"/>',
            f'<Annotation Term="ExtendedMetadata.ObjectIsUserDefined" Bool="{own}"/>',
        )
        target = f"{namespace}.{table.name}"
        columns = self._portal.list_columns(table).values()
        return "\n".join(
            [
                f'<Annotations Target="{target}">{"".join(about)}</Annotations>',
                *(
                    f'<Annotations Target="{target}/{row.name}">{_annotate_column(table, row)}</Annotations>'
                    for row in columns
                ),
            ]
        )


def _write_annotation(term: str, text: str) -> str:
    return f'<Annotation Term="ExtendedMetadata.{term}" String={quoteattr(text)}/>'


def _annotate_column(table: EntitySet, column: Column) -> str:
    indexed = str(column.name in table.indexed).lower()
    required = column.name in table.key or column.name.startswith("_")
    declared = _write_annotation("FieldOuroborosTypeDeclaration", column.native + ("" if required else "?"))
    heading = _write_annotation("FieldHeading", column.label) if column.label else ""
    return f'<Annotation Term="ExtendedMetadata.FieldIsFilteringAllowed" Bool="{indexed}"/>{declared}{heading}'
