"""Privacy profiles: what leaves the tap."""

from __future__ import annotations

import hashlib
import hmac
import os
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from singer_rest.errors import RunError
from singer_rest.privacy.classes import EMAIL
from singer_rest.privacy.classification import Classification, Protection, pattern_class
from singer_rest.privacy.coarsening import area, end_of_month, first_of_month, first_of_year, rebased
from singer_rest.privacy.compiler import PrivacyCompiler
from singer_rest.privacy.profiles import PROFILES, Profile, load_profile
from singer_rest.privacy.pseudonyms import Pseudonyms, load_key, normalized_email
from singer_rest.privacy.stream_privacy import RecordColumns, StreamPrivacy
from singer_rest.privacy.tap_privacy import STATE_KEY, TapPrivacy

if TYPE_CHECKING:
    from pathlib import Path

KEY = b"k" * 32
TEXT = {"type": ["string", "null"]}
NUMBER = {"type": ["integer", "null"]}
FREE = {"type": ["object", "null"]}


def compile_privacy(profile: str, schema: dict[str, Any], classes: dict[str, Any], **kwargs: Any) -> StreamPrivacy:
    shipped = {
        "s": {path: found if isinstance(found, Protection) else Protection(found) for path, found in classes.items()}
    }
    compiler = PrivacyCompiler(load_profile(profile), Classification(shipped), lambda: Pseudonyms(KEY, "vendor/"))
    return compiler.compile("s", {"type": "object", "properties": schema}, **kwargs)


def apply_to(privacy: StreamPrivacy, record: dict[str, Any]) -> dict[str, Any]:
    privacy.apply(RecordColumns([record]))
    return record


def pseudonym_of(value: str, space: str = "vendor//person") -> Any:
    name = space.rpartition("/")[2]
    return Pseudonyms(KEY, "vendor/").space(name).of(value)


def test_dropped_columns_leave_the_schema_and_the_records() -> None:
    privacy = compile_privacy(
        "minimal", {"id": NUMBER, "salary": NUMBER, "_extra": FREE}, {"id": "technical", "salary": "pay"}
    )
    assert list(privacy.schema["properties"]) == ["id"]
    record = {"id": 1, "salary": 2, "_extra": {"nickname": "x", "shoe": 4}}
    assert privacy.apply(RecordColumns([record])) == 2
    assert record == {"id": 1}


def test_ids_become_pseudonyms_of_type_text() -> None:
    person = Protection("direct_id.id", "person")
    columns = {
        "id": {**NUMBER, "description": "Id."},
        "managers": {"type": ["array", "null"], "items": {"type": "integer"}},
    }
    privacy = compile_privacy("minimal", columns, {"id": person, "managers": person})
    assert privacy.schema["properties"]["id"] == {"type": ["string", "null"], "description": "Id."}
    assert privacy.schema["properties"]["managers"]["items"] == {"type": ["string"]}
    one, two = pseudonym_of("1"), pseudonym_of("2")
    assert apply_to(privacy, {"id": 1, "managers": [2, 1, None]}) == {"id": one, "managers": [two, one, None]}
    assert apply_to(privacy, {"id": None, "managers": None}) == {"id": None, "managers": None}


def test_nested_fields_are_kept_only_if_they_are_known() -> None:
    classes = {"who": "unclassified", "who.id": Protection("direct_id.id", "person"), "who.name": "direct_id.name"}
    privacy = compile_privacy("minimal", {"who": FREE}, classes)
    assert apply_to(privacy, {"who": {"id": "7", "name": "Ada", "phone": "1"}}) == {"who": {"id": pseudonym_of("7")}}
    assert apply_to(privacy, {"who": {"id": {"deep": "Ada"}}})["who"]["id"] != {"deep": "Ada"}


def test_unlisted_fields_of_a_listed_object_are_dropped() -> None:
    schema = {"team": {"type": "object", "properties": {"id": TEXT, "lead": TEXT}}}
    privacy = compile_privacy("minimal", schema, {"team.id": "organisational", "team.lead": "direct_id.name"})
    assert apply_to(privacy, {"team": {"id": "1", "lead": "Ada", "new": "Ada"}}) == {"team": {"id": "1"}}


def test_objects_without_known_fields_are_dropped() -> None:
    assert (
        "map"
        not in compile_privacy(
            "no-pay", {"id": TEXT, "map": FREE}, {"id": "technical", "map": "organisational"}
        ).schema["properties"]
    )


def test_map_by_date_keeps_its_scalars() -> None:
    privacy = compile_privacy("minimal", {"days": FREE}, {"days": "unclassified", "days.*": "personal"})
    assert apply_to(privacy, {"days": {"2026-01-01": Decimal("0.5"), "2026-01-02": {"a": 1}}}) == {
        "days": {"2026-01-01": Decimal("0.5"), "2026-01-02": None}
    }


def test_ids_of_other_things_differ_from_those_of_people() -> None:
    person = Protection("direct_id.id", "employee", ("type", "Employee"))
    privacy = compile_privacy("minimal", {"of": NUMBER, "type": TEXT}, {"of": person, "type": "technical"})
    employee, team = (apply_to(privacy, {"of": 5, "type": kind})["of"] for kind in ("Employee", "Team"))
    assert employee == pseudonym_of("5", "vendor//employee")
    assert team != employee


def test_id_in_an_object_is_taken_for_a_persons() -> None:
    person = Protection("direct_id.id", "employee", ("type", "Employee"))
    owner = {"type": "object", "properties": {"id": NUMBER}}
    privacy = compile_privacy("minimal", {"owner": owner}, {"owner.id": person})
    assert apply_to(privacy, {"owner": {"id": 5}}) == {"owner": {"id": pseudonym_of("5", "vendor//employee")}}


def test_key_has_the_class_that_the_user_gives_it() -> None:
    classification = Classification({}, {"s.code": "pay"})
    assert classification.of_key("s", "code").name == "pay"
    assert classification.of_key("s", "id").name == "technical"


def test_key_of_an_unknown_stream_may_be_pay() -> None:
    classification = Classification({"*user_ou*": {"^ou_id$": Protection("pay.band")}})
    assert classification.of_key("user_ou_multi", "ou_id").name == "pay.band"
    assert classification.of_key("ou_multi", "ou_id").name == "technical"


def test_rows_of_a_dropped_class_are_left_out() -> None:
    classes = {"[kind=8]": "pay.band", "id": "technical", "kind": "technical"}
    privacy = compile_privacy("no-pay", {"id": NUMBER, "kind": NUMBER}, classes)
    rows = [
        {"id": 1, "kind": 8},
        {"id": 2, "kind": 80},
        {"id": 3, "kind": Decimal("8.0")},
        {"id": 4},
        {"id": 5, "kind": 4},
    ]
    columns = RecordColumns(rows)
    privacy.apply(columns)
    assert [row["id"] for row in columns.records] == [2, 5], "a row without a kind may be one"
    assert not compile_privacy("pseudonymous", {"id": NUMBER, "kind": NUMBER}, classes).row_rules


def test_objects_of_a_dropped_class_are_left_out_of_lists() -> None:
    classes = {"units[type=.*grade]": "pay.band", "units[].name": "organisational", "units[].type": "organisational"}
    units = {"units": {"type": ["array", "null"], "items": {}}}
    record = {"units": [{"name": "a", "type": "Pay Grade"}, {"name": "b", "type": "Team"}, {"name": "c"}, None]}
    privacy = compile_privacy("no-pay", units, classes)
    assert apply_to(privacy, record) == {"units": [{"name": "b", "type": "Team"}]}
    assert apply_to(privacy, {"units": None}) == {"units": None}
    assert not privacy.keeps("units")


def test_user_says_which_rows_are_pay(tmp_path: Path) -> None:
    path = tmp_path / "own.yml"
    path.write_text("extends: no-pay\nclasses: {'s*[kind=524291]': pay.band, 's.units[type=Band]': pay.band}\n")
    profile = load_profile(str(path))
    classification = Classification({}, profile.classes)
    assert [rule.keywords for rule in classification.row_rules("s")] == [
        {"when": {"kind": "524291"}, "x-protection": "pay.band"},
        {"path": "units", "when": {"type": "Band"}, "x-protection": "pay.band"},
    ]
    assert classification.row_rules("t") == []


def test_intervals_are_rebased_wherever_they_are() -> None:
    clock = {
        "start": {"type": "object", "properties": {"at": TEXT}},
        "end": {"type": "object", "properties": {"at": TEXT}},
    }
    shift = {"shifts": {"type": "array", "items": {"type": "object", "properties": {"from": TEXT, "to": TEXT}}}}
    start, end = "conduct.clock.start", "conduct.clock.end"
    classes = {"start.at": start, "end.at": end, "shifts[].from": start, "shifts[].to": end, "alone": start}
    privacy = compile_privacy("minimal", {**clock, **shift, "alone": TEXT}, classes)
    assert "alone" not in privacy.schema["properties"]
    record = {
        "start": {"at": "2026-11-22T08:30:00"},
        "end": {"at": "2026-11-22T17:00:00"},
        "shifts": [{"from": "22:00", "to": "06:30"}],
        "alone": "08:00",
    }
    assert apply_to(privacy, record) == {
        "start": {"at": "2026-11-22T00:00:00"},
        "end": {"at": "2026-11-22T08:30:00"},
        "shifts": [{"from": "00:00", "to": "08:30"}],
    }


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ("08:30", "17:00", ("00:00", "08:30")),
        ("08:30:15", "17:00:00", ("00:00:00", "08:29:45")),
        (
            "2026-11-22T22:00:00+01:00",
            "2026-11-23T06:00:00+01:00",
            ("2026-11-22T00:00:00+01:00", "2026-11-22T08:00:00+01:00"),
        ),
        ("2026-11-22T08:00:00.5Z", "2026-11-22T09:00:00.5Z", ("2026-11-22T00:00:00Z", "2026-11-22T01:00:00Z")),
        ("2026-11-22T08:00:00Z", None, ("2026-11-22T00:00:00Z", None)),
        (
            "2026-11-22T08:30+02:00",
            "2026-11-22T09:30+02:00",
            ("2026-11-22T00:00:00+02:00", "2026-11-22T01:00:00+02:00"),
        ),
        ("08:00", None, ("00:00", None)),
        (None, "17:00", (None, None)),
        ("soon", "17:00", (None, None)),
        ("99:99", "17:00", (None, None)),
    ],
)
def test_rebased_interval_has_its_duration_only(start: object, end: object, expected: tuple[object, object]) -> None:
    assert rebased(start, end) == expected


def test_dates_and_postcodes_are_made_coarse() -> None:
    assert first_of_year("1990-05-17") == "1990-01-01"
    assert first_of_month("2026-02-17") == "2026-02-01"
    assert first_of_month("2026-02-17T08:00:00Z") == "2026-02-01T00:00:00Z"
    assert first_of_month("2026-02-17T08:00:00+01:00") == "2026-02-01T00:00:00+01:00"
    assert first_of_month("2026-02-17 Anna-Maria") == "2026-02-01T00:00:00"
    assert first_of_year("1990-05-17T00:00:00+0100") == "1990-01-01T00:00:00+0100"
    assert end_of_month("2026-02-28") == "2026-02-28"
    assert end_of_month("2024-02-28") == "2024-02-01"
    assert area("80331") == "80"
    assert [first_of_month(value) for value in ("soon", 17, "")] == [None, None, None]


def test_headcounts_at_the_ends_of_months_stay_right() -> None:
    """Counts who is there on the last day of each month, by exact and by coarse dates."""
    spells = [
        (f"2026-{month:02}-{day:02}", end)
        for month in range(1, 13)
        for day in (1, 9, 28)
        for end in ("2026-09-30", "2026-09-29", None)
    ]
    coarse = [(first_of_month(start), end and end_of_month(end)) for start, end in spells]
    for last in ("2026-01-31", "2026-08-31", "2026-09-30", "2026-10-31"):
        exact, rough = (
            sum(str(start) <= last and (end is None or str(end) >= last) for start, end in part)
            for part in (spells, coarse)
        )
        assert rough == exact, last


def test_pseudonym_is_a_keyed_hash_with_the_fingerprint_of_the_key() -> None:
    found = Pseudonyms(KEY, "vendor/").space("person").of(12)
    assert len(found) == 30
    assert found == Pseudonyms(KEY, "vendor/").space("person").of("12")
    others = [Pseudonyms(b"x" * 32, "vendor/"), Pseudonyms(KEY, "vendor/acme")]
    assert found not in [other.space("person").of(12) for other in others]
    assert found[:4] == Pseudonyms(KEY, "other/").fingerprint != Pseudonyms(b"x" * 32, "vendor/").fingerprint
    prk = hmac.digest(bytes(32), KEY, hashlib.sha256)
    key = hmac.digest(prk, b"hr-taps/v1/vendor//person\x01", hashlib.sha256)
    assert (
        hmac.digest(key, b"12", hashlib.sha256)[:16].hex()
        == __import__("base64").b32decode(found[4:].upper() + "======").hex()
    )


@pytest.mark.parametrize("value", [None, "", 0, -1, "-3"])
def test_ids_of_nobody_stay(value: object) -> None:
    assert Pseudonyms(KEY, "v/").space("person").of(value) == (None if value is None else str(value))


def test_equal_addresses_have_equal_pseudonyms_at_all_vendors() -> None:
    one, other = (Pseudonyms(KEY, account).space(EMAIL) for account in ("personio/", "factorial/"))
    assert one.of(" Ada@Example.COM ") == other.of("ada@example.com")
    assert normalized_email("Zoë@MÜNCHEN.example") == "zoë@xn--mnchen-3ya.example"
    assert normalized_email("a@b@..") == "a@b@.."
    assert one.of("ada+hr@example.com") != one.of("ada@example.com")


def test_user_defined_profile_extends_another_one(tmp_path: Path) -> None:
    path = tmp_path / "council.yml"
    path.write_text(
        "extends: minimal\n"
        "actions: {evaluation: keep, special: keep, s.note: drop}\n"
        "classes: {s.dynamic_*: pay.amount}\n"
    )
    columns = {"score": NUMBER, "leave": TEXT, "note": TEXT, "dynamic_1": NUMBER, "level": TEXT}
    shipped = {"score": "evaluation", "leave": "special.absence", "note": "technical", "level": "technical"}
    profile = load_profile(str(path))
    classes = {"s": {name: Protection(found) for name, found in shipped.items()}}
    compiler = PrivacyCompiler(profile, Classification(classes, profile.classes), lambda: Pseudonyms(KEY, ""))
    privacy = compiler.compile("s", {"properties": columns})
    assert list(privacy.schema["properties"]) == ["score", "leave", "level"]
    assert profile.fingerprint.startswith("council-")


@pytest.mark.parametrize(
    "pattern",
    ["s.shifts", "s.shifts[]", "s.shifts[].breaks", "s.shifts[].breaks[].place", "s.shifts.breaks.place", "s.*.place"],
)
def test_path_of_the_user_stands_for_all_that_is_in_it(pattern: str) -> None:
    place = {"type": "object", "properties": {"place": TEXT}}
    breaks = {"type": "array", "items": place}
    columns = {"shifts": {"type": "array", "items": {"type": "object", "properties": {"breaks": breaks}}}, "id": TEXT}
    shipped = {"s": {"shifts[].breaks[].place": Protection("organisational"), "id": Protection("technical")}}
    for profile in (
        Profile("own", {"pay": "drop"}, {pattern: "drop"}),
        Profile("own", {"pay": "drop"}, classes={pattern: "pay"}),
    ):
        compiler = PrivacyCompiler(profile, Classification(shipped, profile.classes), lambda: Pseudonyms(KEY, ""))
        assert list(compiler.compile("s", {"properties": columns}).schema["properties"]) == ["id"]
        assert compiler.find_unmatched("s") == []


def test_user_can_drop_an_object_of_which_some_fields_are_known() -> None:
    shipped = {"s": {"boss.id": Protection("direct_id.id", "person"), "boss.team.name": Protection("organisational")}}
    columns = {"boss": {"type": "object"}}

    def compiled(**actions: str) -> dict[str, Any]:
        compiler = PrivacyCompiler(
            Profile("own", {"unclassified": "drop"}, actions), Classification(shipped), lambda: Pseudonyms(KEY, "")
        )
        return compiler.compile("s", {"properties": columns}).schema["properties"]

    assert compiled(**{"s.boss": "drop"}) == {}
    assert list(compiled(**{"s.boss.team": "drop"})) == ["boss"]


def test_what_a_profile_names_in_vain_is_found() -> None:
    paths = {"s.nmae": "drop", "s.name": "drop", "other.x": "drop", "s.dynamic_*": "drop"}
    profile = Profile("own", {}, paths, {"s.salery": "pay"})
    compiler = PrivacyCompiler(profile, Classification({}, profile.classes), lambda: Pseudonyms(KEY, ""))
    compiler.compile("s", {"properties": {"name": TEXT, "salary": NUMBER}})
    assert compiler.find_unmatched("s") == ["s.nmae", "s.dynamic_*", "s.salery"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("extends: [minimal]", "`extends`"),
        ("actions: {special.helth: drop}", "neither a protection class nor"),
        ("classes: {s.x: [pay]}", "the class must be one of"),
        ("actions: {s.x: drop}\nactions: {s.y: drop}", "more than once"),
        ("actions: {s.x: drop, s.x: keep}", "`s.x` is in the file in `privacy` more than once"),
        ("- a", "must be a mapping"),
        ("extends: none", "`extends`"),
        ("actions: {pay: hide}", "the action must be one of"),
        ("actions: {salary: drop}", "neither a protection class nor"),
        ("classes: {s.x: paid}", "the class must be one of"),
        ("classes: {'s.a.b[x=1]': pay}", "neither `stream.path` nor"),
        ("classes: {salary: pay}", "neither `stream.path` nor"),
        ("actions: [drop]", "must be mappings"),
        ("a: {", "not valid YAML"),
    ],
)
def test_invalid_profile_is_explained(tmp_path: Path, content: str, expected: str) -> None:
    path = tmp_path / "own.yml"
    path.write_text(content)
    with pytest.raises(RunError, match=expected):
        load_profile(str(path))


@pytest.mark.parametrize("setting", ["minimum", "nowhere.yml"])
def test_unknown_profile_is_refused(setting: str) -> None:
    with pytest.raises(RunError, match="privacy"):
        load_profile(setting)


def test_key_must_be_long_and_private(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("k" * 40 + "\n")
    path.chmod(0o600)
    assert load_key({"privacy_key_file": str(path)}) == b"k" * 40
    path.chmod(0o644)
    if os.name == "posix":
        with pytest.raises(RunError, match="chmod 600"):
            load_key({"privacy_key_file": str(path)})
    for config, expected in [
        ({}, "needs a key"),
        ({"privacy_key": "short"}, "too short"),
        ({"privacy_key_file": "no"}, "cannot be read"),
    ]:
        with pytest.raises(RunError, match=expected):
            load_key(config)


def test_pseudonyms_can_be_looked_up() -> None:
    privacy = TapPrivacy({"privacy_key": KEY.decode()}, "factorial", "tap_factorial")
    expected = Pseudonyms(KEY, "factorial/")
    assert privacy.make_pseudonyms([" ada@EXAMPLE.com", "employee:123", "access:123"]) == [
        expected.space(EMAIL).of("ada@example.com"),
        expected.space("employee").of(123),
        expected.space("access").of(123),
    ]
    for text in ("4711", "user:4711", "mailto:ada@example.com"):
        with pytest.raises(RunError, match="The kinds are: access, candidate, combined, employee, number") as error:
            privacy.make_pseudonyms([text])
        assert text not in str(error.value)


def test_another_profile_or_key_is_refused_for_a_state() -> None:
    def claim(state: dict[str, Any], **config: str) -> bool:
        return TapPrivacy({"privacy_key": "k" * 32, **config}, "vendor", "singer_rest").claim_state(
            [state], ["company"]
        )

    state = {"company": 1}
    assert claim(state, privacy="minimal")
    assert claim(state, privacy="minimal") is False
    state["bookmark"] = 1
    others = ({"privacy_key": "x" * 32}, {"privacy_space": "acme"})
    for other in ({"privacy": "no-pay"}, *({"privacy": "minimal", **one} for one in others), {}):
        with pytest.raises(RunError, match="another privacy profile or key"):
            claim(state, **other)
    with pytest.raises(RunError, match="another privacy profile or key"):
        claim({"bookmark": 1}, privacy="minimal")
    untouched: dict[str, Any] = {"bookmark": 1}
    assert claim(untouched) is False
    assert STATE_KEY not in untouched


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("BaseSalary", "pay"),
        ("dynamic_IBAN", "bank"),
        ("user_ethnicity", "special.origin"),
        ("Gehalt brutto", "pay"),
        ("firstName", "direct_id.name"),
        ("zipCode", "contact.postcode"),
        ("salary_comment", "pay.text"),
        ("ReviewRatingNotes", "evaluation.text"),
        ("bonus_owner_fullname", "direct_id.name"),
        ("payroll_number", "direct_id.number"),
        ("personal_email", "contact"),
        ("mgr_email", "direct_id.email"),
        ("access_token", "secret"),
        ("operating_unit", "unclassified"),
        ("team", "unclassified"),
        ("language", "unclassified"),
    ],
)
def test_names_of_unknown_columns_raise_the_class(name: str, expected: str) -> None:
    assert pattern_class(name).name == expected


def test_every_profile_names_known_classes_only() -> None:
    for profile in PROFILES:
        assert load_profile(profile).fingerprint
