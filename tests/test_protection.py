"""Every path of every stream has a protection class, and no class is left of a path that is gone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from singer_rest.privacy.classes import CLASSES, PERSON_SPACES, TOP_CLASSES, UNCLASSIFIED, lookup_class
from singer_rest.privacy.classification import (
    EACH_STREAM,
    Classification,
    Protection,
    parse_row_rule,
    pattern_class,
    shipped_classes,
)
from singer_rest.privacy.profiles import PROFILES

from docsite.catalog import EVERYTHING
from tests.helpers import leaves

if TYPE_CHECKING:
    from collections.abc import Mapping

    from singer_rest import RestTap

EXTRA = "_extra"
TAPS = ["tap-personio", "tap-factorial", "tap-cornerstone"]


def make_tap(name: str, **settings: Any) -> RestTap:
    tap_class, config = EVERYTHING[name]
    return tap_class(config={**config, **settings}, validate_config=False)


def package_name(tap: str) -> str:
    return tap.replace("-", "_")


def leaf_paths(schema: Mapping[str, Any]) -> list[str]:
    """Returns the paths of a schema that need a class of their own."""
    return [path for path, _ in leaves(schema) if path != EXTRA]


def resolved_path(path: str) -> str:
    """Returns the path of the field that says which rows or objects a rule is about. Other paths stay as they are."""
    rule = parse_row_rule(path, "")
    return path if rule is None else f"{rule.path}[].{rule.column}" if rule.path else rule.column


@pytest.mark.parametrize("name", TAPS)
def test_every_path_has_a_class(name: str) -> None:
    shipped = shipped_classes(package_name(name))
    missing = [
        f"{stream.name}\t{path}\t{pattern_class(path.rpartition('.')[2]).name} (proposed)"
        for stream in make_tap(name).streams.values()
        for path in leaf_paths(stream.schema)
        if path not in shipped.get(stream.name, {})
    ]
    assert not missing, f"Add a line with the class to {package_name(name)}/protection.tsv:\n" + "\n".join(missing)


@pytest.mark.parametrize("name", TAPS)
def test_lists_of_anything_are_not_classified(name: str) -> None:
    """A profile cannot keep items of which nothing is known."""
    tap = make_tap(name)
    wrong = [
        f"{stream.name}.{path}"
        for stream in tap.streams.values()
        for path, part in leaves(stream.schema)
        if "array" in part.get("type", ()) and not (part.get("items") or {}).get("type")
        if not tap.privacy.classification.names_below(stream.name, f"{path}[]")
        if tap.privacy.classification.of(stream.name, path).name != "unclassified"
    ]
    assert not wrong


@pytest.mark.parametrize("name", TAPS)
def test_every_class_is_of_a_path(name: str) -> None:
    streams = make_tap(name).streams
    paths = {stream.name: leaf_paths(stream.schema) for stream in streams.values()}
    stale = [
        f"{stream}\t{path}"
        for stream, classes in shipped_classes(package_name(name)).items()
        if EACH_STREAM not in stream
        for path in (resolved_path(path) for path in classes)
        if not any(path == known or path.startswith((f"{known}.", f"{known}[].")) for known in paths.get(stream, ()))
    ]
    assert not stale, f"Remove these lines from {package_name(name)}/protection.tsv:\n" + "\n".join(stale)


@pytest.mark.parametrize("name", TAPS)
def test_ids_of_people_say_of_which_kind_they_are(name: str) -> None:
    wrong = [
        f"{stream}.{path}"
        for stream, classes in shipped_classes(package_name(name)).items()
        for path, protection in classes.items()
        if (protection.name in {"direct_id.id", "direct_id.number"}) != (protection.space in PERSON_SPACES)
    ]
    assert not wrong


@dataclass(frozen=True)
class Leaf:
    """A field with values, and its class."""

    stream: str
    path: str
    description: str
    protection: Protection

    @property
    def place(self) -> str:
        return f"{self.stream}.{self.path}"

    @property
    def name(self) -> str:
        return self.path.rpartition(".")[2].removesuffix("[]")

    def is_at_least(self, name: str) -> bool:
        """Whether the class is of the same harm as another one, or worse."""
        return TOP_CLASSES.index(self.protection.name.partition(".")[0]) <= TOP_CLASSES.index(name)


@cache
def all_leaves() -> list[Leaf]:
    """Returns the fields of all taps whose schemas list them."""
    found = [
        Leaf(stream.name, path, part.get("description", ""), shipped_classes(package_name(tap))[stream.name][path])
        for tap in TAPS
        for stream in make_tap(tap).streams.values()
        for path, part in leaves(stream.schema)
        if path != EXTRA
    ]
    return [leaf for leaf in found if leaf.protection.name != UNCLASSIFIED]


TARGETS = {
    r"as `access_id` in `employees_employees`": "access",
    r"see `employees_employees`": "employee",
    r"see `persons`|see `employees`": "person|user",
    r"see `users_core`": "user",
    r"[Ee]mployee id and date|[Ee]mployee, allowance and|made of (the ids of the review )?process": "combined",
    r"see `performance_review_process_targets`": "combined",
    r"see `ats_candidates`|see `recruiting_candidates`": "candidate",
}
"""The kind of ids of people, by what the description of their column says."""


@pytest.mark.parametrize("text", TARGETS)
def test_ids_are_of_the_kind_that_their_description_names(text: str) -> None:
    described = [leaf for leaf in all_leaves() if re.search(text, leaf.description) and leaf.name != "email"]
    assert described
    assert not [leaf.place for leaf in described if not re.fullmatch(TARGETS[text], leaf.protection.space)]


def test_ids_of_parts_of_a_row_are_of_its_kind_if_it_has_no_id_of_its_own() -> None:
    """The ids of rows that are computed hold the id of an employee, and the ids in such a row may be made of it."""
    classes = shipped_classes("tap_factorial")["timeoff_allowance_stats"]
    assert {classes[path].space for path in ("id", "cycles[].id")} == {"combined"}


def test_times_of_entry_of_absences_are_of_the_class_of_their_kind() -> None:
    """Sick leave is entered once it has begun, and other leave before: the time tells which it is."""
    streams = {"absence_periods", "absence_periods_v1", "absence_period_breakdowns", "time_offs", "timeoff_leaves"}
    entered = [
        leaf for leaf in all_leaves() if leaf.stream in streams and re.search(r"(created|updated)_at$", leaf.name)
    ]
    assert {leaf.stream for leaf in entered} == streams
    assert not [leaf.place for leaf in entered if leaf.protection.name != "special.absence"]


PEOPLE = r"(^|_)(by|author|employee|access|approver|reviewer|manager|reporter|requester|signer|candidate)_ids?$"


def test_columns_named_like_ids_of_people_say_of_which_kind_they_are() -> None:
    """Columns such as `created_by_id`, `author_id` and `payroll_run_employee_id`."""
    named = [leaf for leaf in all_leaves() if re.search(PEOPLE, leaf.name)]
    assert len(named) > 100
    assert not [leaf.place for leaf in named if leaf.protection.space not in PERSON_SPACES]


OWN_COMPANY = {"companies_legal_entities.tin", "api_public_credentials.tin"}
PUBLIC = {
    "ats_job_postings.url",
    "catalog.DeepLinkURL",
    "training_details.DeepLinkURL",
    "job_requisitions.DefaultURL",
}
SITES = ("locations_locations.", "vw_rpt_training.lo_provider", "training_provider_core.", "companies_legal_entities.")
AT_LEAST = {
    r"e_?mail$": "contact",
    r"(^|_)(phone|fax|mobile)(_number)?$|phone$": "contact",
    r"(^|_)(first|last|middle|full|preferred)_?name$|fullname$": "direct_id",
    r"(^|_)(iban|bic|swift_bic|bank_number|bank_account|account_number|last4)$": "bank",
    r"(^|_)(tax_id|tin|vat_number|social_security_number|identifier_type)$": "national_id",
    r"(^|_)(salary|salaries|compensation)(_|$)(?!id)": "pay",
    r"(^|_)grade(_id|_ref|_title|_parent_title)?$": "pay",
    r"(^|_)(rating|score)(_average)?$": "evaluation",
    r"(file_?name|_url|^url|url)$": "contact",
    r"^(comments?|notes?|observations|cover_letter|termination_reason|.*_comments?)$": "free_text",
    r"(^|_)(gender|birthday|birth_date|date_of_birth|birth_dt|nationality|pronouns)(_on)?$": "demographic",
    r"latitude$|longitude$": "conduct",
    r"(^|_)(last_login|opened_at|last_access_dt)$": "conduct",
}
"""The class that a column has at least, by its name."""
CATALOGUES = {
    "job_catalog_node_attributes",
    "performance_review_questionnaire_by_strategies",
    "task_review_rating_local_core",
    "training_core",
    "vw_rpt_training",
    "project_management_projects",
    "project_management_project_workers",
}
"""Streams in which such a column is of the company, such as the scale of a rating."""


@pytest.mark.parametrize("pattern", AT_LEAST)
def test_columns_with_such_a_name_have_at_least_the_class(pattern: str) -> None:
    found = [
        leaf
        for leaf in all_leaves()
        if re.search(pattern, leaf.name, re.IGNORECASE)
        and leaf.place not in OWN_COMPANY | PUBLIC
        and not leaf.place.startswith(SITES)
        and leaf.stream not in CATALOGUES
    ]
    assert found
    assert not [(leaf.place, leaf.protection.name) for leaf in found if not leaf.is_at_least(AT_LEAST[pattern])]


TEXT = re.compile(r"(Free text|Remarks|Comment|Notes? written|Text of the (comment|feedback|conclusions|message))\b")


def test_text_that_somebody_typed_is_of_a_class_for_text() -> None:
    """Such text may name anybody, so that pseudonymous profiles must be able to drop it."""
    typed = [leaf for leaf in all_leaves() if TEXT.match(leaf.description)]
    assert len(typed) > 30
    kinds = {"free_text", "special.text", "pay.text", "evaluation.text", "organisational"}
    assert not [(leaf.place, leaf.protection.name) for leaf in typed if leaf.protection.name not in kinds]


@pytest.mark.parametrize("profile", ["no-pay", "pseudonymous", "minimal"])
def test_text_is_dropped_whatever_it_is_about(profile: str) -> None:
    text = [name for name in CLASSES if name.endswith("text")]
    assert len(text) == 4
    assert {lookup_class(name, PROFILES[profile]) for name in text} == {"drop"}


LOST = {
    "no-pay": {"compensations", "salary_bands", "vw_rpt_user_ou"},
    "pseudonymous": set(),
    "minimal": {"compensations", "salary_bands", "vw_rpt_user_ou", "absence_balances"},
}


@pytest.mark.parametrize("profile", LOST)
def test_only_streams_whose_keys_must_not_be_loaded_are_lost(profile: str) -> None:
    lost = set[str]()
    for tap in TAPS:
        lost |= make_tap(tap).streams.keys() - make_tap(tap, privacy=profile).streams.keys()
    assert lost == LOST[profile]


@pytest.mark.parametrize("name", TAPS)
def test_catalog_shows_the_class_of_each_field(name: str) -> None:
    tap = make_tap(name)
    without = [
        f"{entry['stream']}.{path}"
        for entry in tap.catalog_dict["streams"]
        for path, part in leaves(entry["schema"])
        if part.get("x-protection") not in CLASSES
    ]
    assert not without


@pytest.mark.parametrize("profile", sorted({*PROFILES} - {"everything"}))
@pytest.mark.parametrize("name", TAPS)
def test_dropped_classes_are_absent_from_the_schema(name: str, profile: str) -> None:
    tap = make_tap(name, privacy=profile)
    for entry in tap.catalog_dict["streams"]:
        for path, part in leaves(entry["schema"]):
            found = part["x-protection"]
            if found == "unclassified":  # a container of which the allowed fields stay, or the key of a portal's view
                continue
            assert lookup_class(found, PROFILES[profile]) != "drop", path


@pytest.mark.parametrize("name", TAPS)
def test_streams_without_key_are_not_offered(name: str) -> None:
    everything, least = make_tap(name).streams, make_tap(name, privacy="minimal").streams
    assert least.keys() <= everything.keys()
    assert not least.keys() & {"compensations", "salary_bands"}
    for stream in least.values():
        assert {*stream.primary_keys} <= stream.schema["properties"].keys(), stream.name


def test_catalog_of_all_columns_shows_no_more_under_a_profile() -> None:
    catalog = make_tap("tap-personio").catalog_dict
    tap_class, config = EVERYTHING["tap-personio"]
    tap = tap_class(
        config={**config, "privacy": "minimal", "privacy_key": "k" * 32}, catalog=catalog, validate_config=False
    )
    expected = {
        entry["stream"]: entry["schema"]
        for entry in make_tap("tap-personio", privacy="minimal").catalog_dict["streams"]
    }
    for name in ("persons", "absence_periods", "attendance_periods"):
        stream = tap.streams[name]
        (message,) = stream._generate_schema_messages()
        shown = message.schema["properties"]
        assert shown.keys() == expected[name]["properties"].keys()
        assert stream.effective_schema["properties"].keys() > shown.keys()
        assert message.schema["x-privacy"].startswith("minimal-")


@pytest.mark.parametrize("name", TAPS)
def test_catalog_shows_what_refers_to_people(name: str) -> None:
    shown = {
        (entry["stream"], path)
        for entry in make_tap(name).catalog_dict["streams"]
        for leaf, part in leaves(entry["schema"])
        for path in (
            leaf,
            *(f"{leaf}{below}" if below[0] == "[" else f"{leaf}.{below}" for below in part.get("x-paths", ())),
        )
        if "x-refers-to" in part or path != leaf
    }
    known = {
        (stream, path)
        for stream, classes in shipped_classes(package_name(name)).items()
        for path, protection in classes.items()
        if "x-refers-to" in protection.keywords and stream != EACH_STREAM
    }
    assert known <= shown
    assert known


@pytest.mark.parametrize("name", TAPS)
def test_rows_about_the_same_person_are_of_a_stream_with_one_key(name: str) -> None:
    streams = make_tap(name).streams
    parents = {
        protection.parent
        for classes in shipped_classes(package_name(name)).values()
        for protection in classes.values()
        if protection.parent
    }
    assert parents
    assert {stream: len(streams[stream].primary_keys) for stream in parents} == dict.fromkeys(parents, 1)


def test_patterns_find_the_class_of_known_columns_in_other_views() -> None:
    """Portals have the same columns in views that the tap does not know."""
    classification = Classification(shipped_classes("tap_cornerstone"))
    harm = list(CLASSES)
    wrong, found = [], 0
    for stream, classes in shipped_classes("tap_cornerstone").items():
        if not stream.startswith("vw_") and not stream.endswith("_core"):
            continue
        for path, known in classes.items():
            guessed = classification.of("vw_rpt_portals_own", path)
            if parse_row_rule(path, "") or UNCLASSIFIED in {guessed.name, known.name}:
                continue
            found += 1
            is_lower = harm.index(guessed.name) > harm.index(known.name) and guessed.name != "technical"
            # A profile may keep the class that is worse, but not who a person is.
            hides_person = known.name.startswith("direct_id") and not guessed.name.startswith("direct_id")
            if (is_lower or hides_person) and guessed.name.partition(".")[0] != known.name.partition(".")[0]:
                wrong.append((f"{stream}.{path}", guessed.name, known.name))
    assert found > 200
    assert not wrong
