"""Documents, credentials and webhook subscriptions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hr_sandbox.factorial.fake_values import ACCESS, find_company_id
from hr_sandbox.factorial.rows.common import builds
from hr_sandbox.http.messages import pick_fields
from hr_sandbox.stable_random import stable_chance

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hr_sandbox.company import Company
    from hr_sandbox.company.model.documents import Subscription
    from hr_sandbox.factorial.rows.common import Row

SIGNATURES = {"SIGNED": "completed", "REQUESTED": "pending_mfa"}
TRASHED, UNASSIGNED = 5, 4  # percent


@builds("documents/documents")
def list_documents(company: Company) -> Iterator[Row]:
    """Yields documents. Some are in the trash, and some are not assigned yet."""
    for row in company.documents:
        trashed = stable_chance(TRASHED, "trash", row.id)
        pending = not trashed and stable_chance(UNASSIGNED, "whose", row.id)
        yield {
            **pick_fields(row, "id", "created_at", filename="name", content_type="media_type", file_size="size"),
            **pick_fields(row, folder_id="category_id", updated_at="created_at"),
            "extension": row.name.rpartition(".")[2],
            "employee_id": None if pending else row.owner_id,
            **dict.fromkeys(("public", "is_company_document", "is_management_document"), False),
            "space": "employee_my_documents",
            "is_pending_assignment": pending,
            "signature_status": SIGNATURES.get(row.signature or ""),
            "signees": [row.owner_id + ACCESS] if row.signature else [],
            "deleted_at": row.created_at if trashed else None,
            "_by_trash_bin": trashed,
            "_by_pending_assignment": pending,
        }


@builds("documents/folders")
def list_folders(company: Company) -> Iterator[Row]:
    """Yields one folder per document category."""
    for row in company.document_categories:
        yield {
            **pick_fields(row, "id", "name"),
            "active": True,
            "space": "employee_my_documents",
            "parent_folder_id": None,
        }


@builds("api_public/credentials")
def list_credentials(company: Company) -> Iterator[Row]:
    """Yields the credentials of the company's key."""
    user = ("email", "login_email", "full_name", "first_name", "last_name", "role", "employee_id")
    yield {
        "id": "access-0",
        **dict.fromkeys(user),
        "gdpr_tos": True,
        **pick_fields(company, "name", legal_name="name"),
        "locale": "de",
        "logo": None,
        "onboarded_on": min(row.created_at for row in company.legal_entities).date(),
        "subscription_plan": "business",
        "tin": "DE811907980",
        "to_be_deleted": None,
        "tos": True,
    }


@builds("api_public/webhook_subscriptions")
def list_subscriptions(company: Company) -> Iterator[Row]:
    """Yields the subscriptions, with their secrets."""
    for row in company.subscriptions:
        yield make_subscription_row(company, row)


def make_subscription_row(company: Company, row: Subscription) -> Row:
    """Returns a subscription, also one that was deleted."""
    return {
        **pick_fields(row, "id", "type", "enabled", "name", "challenge", target_url="url", api_version="version"),
        "company_id": find_company_id(company),
    }
