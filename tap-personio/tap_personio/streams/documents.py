"""The metadata of documents, never their content."""

from __future__ import annotations

from singer_rest import ChangedSince, PerParent, times

from tap_personio.client import ZONE_UNKNOWN, PersonioStream
from tap_personio.v1 import V1Stream


class Documents(PersonioStream):
    """One row per document of a person.

    Without the content. An incremental run brings new documents only, and asks for those of every person.
    """

    name = "documents"
    path = "/v2/document-management/documents"
    permission = "documents:read"
    primary_keys = ("id",)
    replication_key = "created_at"  # changes and deletions appear in a full refresh
    changed_since = ChangedSince("created_at.gte", format_timestamp=times.format_date)
    lookback = ZONE_UNKNOWN
    slices = PerParent("persons", "owner_id", param="owner_id")
    page_size = 200


class DocumentCategories(V1Stream):
    """One row per category of documents."""

    name = "document_categories"
    path = "/v1/company/document-categories"
    permission = "documents:read"
    primary_keys = ("id",)
