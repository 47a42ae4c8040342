"""The reports of `--dossier` and `--check-agreement`: files, and what is written to stdout."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from singer_rest.dossier.agreement import compare, load_agreement
from singer_rest.dossier.answers import FIELDS, load_answers
from singer_rest.dossier.columns_file import to_csv
from singer_rest.dossier.contract import make_contract, to_yaml
from singer_rest.dossier.inventory import take_inventory
from singer_rest.errors import RunError
from singer_rest.private_file import write_private_file
from singer_rest.singer.command import Report

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from singer_rest.dossier.agreement import Difference
    from singer_rest.dossier.answers import Answers
    from singer_rest.dossier.dossier_tap import DossierTap
    from singer_rest.dossier.inventory import Inventory
    from singer_rest.singer.command import DossierOptions

SUFFIXES = (".html", ".yaml", ".yml", ".csv")
SETTING = "`privacy_agreement`"
MAX_NAMED = 20
"""Number of differences that an error names."""
ABOUT_THE_DOSSIER = ("version", "status", "agreement")


def make_dossier(tap: DossierTap, options: DossierOptions, secrets: Sequence[str], *, is_offline: bool) -> Report:
    """Writes the files of the dossier, or checks an agreement.

    Args:
        tap: The tap, with the catalog if there is one.
        options: What to do, and with which files.
        secrets: The settings with secrets that are set.
        is_offline: Whether the tap has no credentials.

    Raises:
        RunError: If a file cannot be read or written, or its name has no known ending.
    """
    inventory = take_inventory(tap, secrets, is_offline=is_offline)
    return _check_agreement(inventory, options.agreement) if options.agreement else _write_dossier(inventory, options)


def _write_dossier(inventory: Inventory, options: DossierOptions) -> Report:
    for path in options.files:
        if path.suffix not in SUFFIXES:
            raise RunError(f"--dossier writes files whose names end with {', '.join(SUFFIXES)}, not {path.name}.")
    answers = load_answers(options.answers)
    differences = None
    if options.since:
        differences = compare(load_agreement(options.since, inventory.tap.name, "--since"), inventory)
    for path in options.files:
        _write_file(path, _make_file(path, inventory, answers, options.language, differences))
    missing = [name for name in FIELDS if not answers.get(name) and name not in ABOUT_THE_DOSSIER]
    content = {
        **_describe(inventory, "dossier"),
        "files": [str(path) for path in options.files],
        "counts": _count_columns(inventory),
        "to_fill_in": missing,
        "changes": [one.to_json() for one in differences or ()],
    }
    return Report(content, "\n".join(_dossier_lines(inventory, content)), succeeded=True)


def _make_file(
    path: Path, inventory: Inventory, answers: Answers, language: str, differences: Sequence[Difference] | None
) -> str:
    if path.suffix == ".csv":
        return to_csv(inventory)
    if path.suffix != ".html":
        return to_yaml(make_contract(inventory, answers))
    from singer_rest.dossier.page import make_page  # noqa: PLC0415 - only this file needs it
    from singer_rest.dossier.texts import Texts  # noqa: PLC0415

    return make_page(inventory, answers, Texts(language), differences)


def _write_file(path: Path, text: str) -> None:
    """Writes a file. An older one is replaced when the new one is complete."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_private_file(path, text)  # the answers may name people
    except OSError as error:
        raise RunError(f"{path} cannot be written: {error.strerror}.") from None


def _describe(inventory: Inventory, kind: str) -> dict[str, Any]:
    profile = inventory.tap.privacy.profile
    return {
        "report": kind,
        "tap": inventory.tap.name,
        "version": inventory.tap.plugin_version,
        "profile": profile.name,
        "fingerprint": profile.fingerprint,
        "is_offline": inventory.is_offline,
    }


def _count_columns(inventory: Inventory) -> dict[str, int]:
    columns = [column for table in inventory.tables for column in table.columns]
    kept = sum(column.is_loaded and column.action == "keep" for column in columns)
    return {
        "streams": len(inventory.tables),
        "streams_not_loaded": len(inventory.left_out),
        "kept": kept,
        "changed": len(inventory.loaded) - kept,
        "not_loaded": len(columns) - len(inventory.loaded),
    }


def _dossier_lines(inventory: Inventory, content: dict[str, Any]) -> Iterator[str]:
    counts = content["counts"]
    yield (
        f"{content['tap']} {content['version']}, profile {content['profile']}: {counts['streams']} streams, with "
        f"{counts['kept']:,} columns as they are, {counts['changed']:,} changed and {counts['not_loaded']:,} not loaded"
    )
    if inventory.is_offline and any(table.is_defined_by_company for table in inventory.tables):
        yield "Without credentials: columns that the company defines are decided at run time."
    if not inventory.has_catalog:
        yield "Without --catalog: all streams and columns on offer are listed."
    yield f"Written: {', '.join(content['files'])}"
    if content["changes"]:
        kinds = Counter(one["kind"] for one in content["changes"])
        yield f"Changes: {', '.join(f'{number} {kind}' for kind, number in kinds.items())}"
    if content["to_fill_in"]:
        yield f"To fill in with --answers FILE: {', '.join(content['to_fill_in'])}"


def _check_agreement(inventory: Inventory, path: Path) -> Report:
    """Compares what would be loaded with what was agreed."""
    agreement = load_agreement(path, inventory.tap.name, "--check-agreement")
    differences = compare(agreement, inventory)
    more = [one for one in differences if one.is_more]
    content = {
        **_describe(inventory, "agreement"),
        "agreed_profile": agreement.profile,
        "is_within": not more,
        "more": [one.to_json() for one in more],
        "less": [one.to_json() for one in differences if not one.is_more],
    }
    return Report(content, "\n".join(_agreement_lines(content, differences)), succeeded=not more)


def _agreement_lines(content: dict[str, Any], differences: Sequence[Difference]) -> Iterator[str]:
    more = [one for one in differences if one.is_more]
    less = [one for one in differences if not one.is_more]
    head = f"{content['tap']} {content['version']}, profile {content['profile']}"
    yield f"{head}: {f'{len(more)} differences load more' if more else 'nothing more is loaded'} than agreed"
    yield from (f"  {describe_difference(one)}" for one in more)
    if less:
        yield f"Less than agreed is loaded ({len(less)} differences)"
        yield from (f"  {describe_difference(one)}" for one in less)


def describe_difference(difference: Difference) -> str:
    """Describes a difference from the agreement."""
    if difference.kind == "maps":
        return "the stream maps are not those that were agreed to"
    name = f"{difference.stream}.{difference.path}"
    agreed = f"agreed: {', '.join(difference.agreed)}" if difference.agreed else "not agreed"
    return f"{name}: {', '.join(difference.current) if difference.current else 'not loaded'} ({agreed})"


def require_agreement(tap: DossierTap, path: Path, *, is_offline: bool) -> list[Difference]:
    """Checks that a run would load no more than was agreed.

    Args:
        tap: The tap, with the catalog if there is one.
        path: The dossier as YAML that was agreed to.
        is_offline: Whether the tap has no credentials.

    Returns:
        The differences by which it loads less.

    Raises:
        RunError: If it would load more, or the agreement cannot be read.
    """
    agreement = load_agreement(path, tap.name, SETTING)
    inventory = take_inventory(tap, is_offline=is_offline)
    if is_offline and not inventory.has_catalog:
        # The company may lack columns that the tap ships: discovery says which there are.
        known = [table for table in inventory.tables if not table.is_defined_by_company]
        inventory = replace(inventory, tables=known)
    differences = compare(agreement, inventory)
    more = [one for one in differences if one.is_more]
    if not more:
        return differences
    named = "; ".join(map(describe_difference, more[:MAX_NAMED]))
    rest = f"; and {len(more) - MAX_NAMED} more, which --check-agreement lists" if len(more) > MAX_NAMED else ""
    raise RunError(
        f"This run would load more than the dossier in {SETTING} says: {named}{rest}. Leave this out by the privacy "
        "profile or the selection, or agree to a new dossier."
    )
