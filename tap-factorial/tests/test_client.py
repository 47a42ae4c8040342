"""What is asked for, and what is made of odd answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from singer_rest import RunError
from singer_rest.testing import Answer, Asked, Host, host
from singer_sdk.exceptions import ConfigValidationError
from tap_factorial.tap import TapFactorial

if TYPE_CHECKING:
    from collections.abc import Callable

    Start = Callable[[Callable[[Asked], Answer]], Host]

LISTS = "/api/2026-10-01/resources/"
LAST = {"has_next_page": False, "has_previous_page": False, "limit": 100, "total": 1}
EMPTY = Answer({"data": [], "meta": LAST})


def page(*rows: dict[str, Any], **meta: Any) -> Answer:
    return Answer({"data": list(rows), "meta": {**LAST, **meta}})


def answers(**by_list: Answer) -> Callable[[Asked], Answer]:
    """Answers by list; all others are empty."""
    known = {LISTS + name.replace("__", "/"): answer for name, answer in by_list.items()}
    return lambda asked: known.get(asked.path, EMPTY)


def test_every_parameter_that_hides_rows_or_amounts_is_sent(run: Callable[..., Any], factorial: Start) -> None:
    vendor = factorial(answers())
    run(vendor.url)
    queries = {asked.path.removeprefix(LISTS): asked.query_text.split("&") for asked in vendor.asked}
    assert queries["employees/employees"] == ["limit=100", "only_active=false", "only_managers=false"]
    assert queries["timeoff/leaves"] == [
        "limit=100",
        "include_deleted_leaves=true",
        "include_duration=true",
        "include_duration_by_day=true",
        "include_leave_type=true",
    ]
    assert queries["ats/answers"] == ["limit=100"]
    assert queries["time_planning/planning_versions"] == ["limit=100", "only_active=false"]
    assert queries["finance/categories"] == [
        "limit=100",
        "category_level=all",
        "type=all",
        "statuses%5B%5D=deleted",
        "statuses%5B%5D=disabled",
        "statuses%5B%5D=enabled",
    ]


def test_parents_are_asked_for_together_in_repeated_parameters(run: Callable[..., Any], factorial: Start) -> None:
    posts = page(*({"id": str(number)} for number in range(70)))
    vendor = factorial(answers(posts__posts=posts))
    run(vendor.url, "posts_comments")
    queries = [asked.query_text for asked in vendor.asked if asked.path == f"{LISTS}posts/comments"]
    assert sorted(query.count("post_ids%5B%5D=") for query in queries) == [20, 50]
    assert all("%2C" not in query for query in queries)


def test_the_values_that_were_asked_with_are_columns(run: Callable[..., Any], factorial: Start) -> None:
    def answer(asked: Asked) -> Answer:
        if asked.path.endswith("job_catalog/tree_nodes"):
            return page({"uuid": "n-1"}) if asked.query["node_type"] == "jobcatalog_treeroot" else EMPTY
        return page({"id": f"{asked.path[-5:]}-{asked.query.get('archived') or asked.query.get('node_uuid')}"})

    output = run(
        factorial(answer).url,
        "job_catalog_node_attributes",
        "contracts_german_contract_types",
        "marketplace_installation_settings",
        integration_uuid="u-1",
    )
    assert [record["node_uuid"] for record in output.records("job_catalog_node_attributes")] == ["n-1"]
    archived = {record["id"]: record["archived"] for record in output.records("contracts_german_contract_types")}
    assert archived == {"types-true": True, "types-false": False}
    settings = output.records("marketplace_installation_settings")
    assert [(record["company_id"], record["integration_uuid"]) for record in settings] == [("1", "u-1")]


def test_what_is_declared_to_be_text_is_text(run: Callable[..., Any], factorial: Start) -> None:
    row = {
        "id": 18446744073709551617,
        "employee_id": 7,
        "value": True,
        "custom_field_identifier": None,
        "new_in_some_version": {"id": 5},
    }
    contract = {"id": 1, "job_title": 12.50, "version_data": {"country_data": {"country": "es"}}}
    team = {"id": 1, "employee_ids": [1, 2, None]}
    output = run(
        factorial(
            answers(
                custom_fields__values=page(row), contracts__contract_versions=page(contract), teams__teams=page(team)
            )
        ).url,
        "custom_fields_values",
        "contracts_contract_versions",
        "teams_teams",
    )
    value = output.records("custom_fields_values")[0]
    assert (value["id"], value["value"], value["custom_field_identifier"]) == ("18446744073709551617", "true", None)
    assert value["_extra"] == {"employee_id": "7", "new_in_some_version": {"id": "5"}}
    assert output.records("contracts_contract_versions")[0]["job_title"] == "12.5"
    assert output.records("teams_teams")[0]["employee_ids"] == ["1", "2", None]


def test_ids_are_text_in_what_no_schema_describes_too(run: Callable[..., Any], factorial: Start) -> None:
    duration = {"id": 1, "leave_ids": [2, None, "3"], "days": 4, "parts": [{"uuid": 5, "half_id": True, "hours": 6}]}
    leave = {"id": 7, "duration_attributes": duration, "new_ids": [8], "new_count": 9}
    output = run(factorial(answers(timeoff__leaves=page(leave))).url, "timeoff_leaves")
    assert output.records("timeoff_leaves") == [
        {
            "id": "7",
            "duration_attributes": {
                "id": "1",
                "leave_ids": ["2", None, "3"],
                "days": 4,
                "parts": [{"uuid": "5", "half_id": True, "hours": 6}],
            },
            "_extra": {"new_count": 9, "new_ids": ["8"]},
        }
    ]


def test_the_secret_of_a_webhook_never_leaves(run: Callable[..., Any], factorial: Start) -> None:
    hook = {"id": "1", "challenge": "s3cr3t", "target_url": "https://example.test"}
    output = run(
        factorial(answers(api_public__webhook_subscriptions=page(hook))).url, "api_public_webhook_subscriptions"
    )
    assert output.records("api_public_webhook_subscriptions") == [{"id": "1", "target_url": "https://example.test"}]
    assert b"challenge" not in output.raw
    assert b"s3cr3t" not in output.raw


def test_the_token_of_an_expense_never_leaves(run: Callable[..., Any], factorial: Start) -> None:
    expense = {"id": "1", "access_token": "s3cr3t", "status": "paid"}
    output = run(factorial(answers(expenses__expenses=page(expense))).url, "expenses_expenses")
    assert output.records("expenses_expenses") == [{"id": "1", "status": "paid"}]
    assert b"access_token" not in output.raw


def test_cursors_are_followed_as_they_are(run: Callable[..., Any], factorial: Start) -> None:
    def answer(asked: Asked) -> Answer:
        if "after_id" not in asked.query:
            return page({"id": "1"}, has_next_page=True, end_cursor="MTY=/+")
        return page({"id": "2"})

    vendor = factorial(answer)
    output = run(vendor.url, "teams_teams")
    assert [record["id"] for record in output.records("teams_teams")] == ["1", "2"]
    assert vendor.queries(f"{LISTS}teams/teams")[1] == {"limit": "100", "after_id": "MTY=/+"}


@pytest.mark.parametrize(
    "body",
    [
        {"data": [{"id": "1"}]},
        {"data": [{"id": "1"}], "meta": None},
        {"data": [{"id": "1"}], "meta": {"has_next_page": None, "limit": None, "total": None}},
        {"data": [{"id": str(number)} for number in range(250)], "meta": {**LAST, "limit": None}},
    ],
)
def test_a_body_with_little_or_no_word_of_pages_is_the_last_one(
    run: Callable[..., Any], factorial: Start, body: dict[str, Any]
) -> None:
    output = run(factorial(answers(teams__teams=Answer(body))).url, "teams_teams")
    assert output.counts() == {"teams_teams": len(body["data"])}


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({"data": [{"id": str(number)} for number in range(100)]}, "does not say whether another follows"),
        (
            {"data": [{"id": "1"}], "meta": {"has_next_page": True, "end_cursor": None}},
            "that another follows, but not where",
        ),
        ({"data": {"id": "1"}}, "holds no list of records"),
        ({"data": [{"id": "1"}], "meta": "none"}, "holds no list of records"),
        ({"data": [{"id": "1"}], "meta": [1]}, "holds no list of records"),
        ({"data": ["1"]}, "holds no list of records"),
        ([{"id": "1"}], "holds no list of records"),
        (
            {"data": [{"id": "1"}], "meta": {"has_next_page": True, "end_cursor": "MQ=="}},
            "leads back to a page already read",
        ),
    ],
)
def test_a_body_that_could_hide_rows_ends_the_stream(
    run: Callable[..., Any], factorial: Start, body: Any, sentence: str, caplog: pytest.LogCaptureFixture
) -> None:
    fails: list[Exception] = []
    output = run(factorial(answers(teams__teams=Answer(body))).url, "teams_teams", fails=fails)
    assert "1 of 1 streams failed: teams_teams" in str(fails[0])
    assert sentence in caplog.text
    assert output.of("ACTIVATE_VERSION") == []


def test_a_hundred_shifts_are_no_full_page(run: Callable[..., Any], factorial: Start) -> None:
    shifts = Answer({"data": [{"id": str(number)} for number in range(100)], "meta": None})
    window = {"start_date": "2026-10-05", "end_date": "2026-10-05"}
    output = run(factorial(answers(attendance__shifts=shifts)).url, "attendance_shifts", **window)
    assert output.counts() == {"attendance_shifts": 100}


def test_a_credential_without_a_company_leaves_nothing_to_ask_for_and_it_is_said(
    run: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    credentials = page({"id": "access-0", "company_id": None})
    with host(lambda asked: credentials if asked.path.endswith("/credentials") else EMPTY) as vendor:
        run(vendor.url, "contracts_materialized_templates", "teams_teams")
    assert "contracts_materialized_templates: nothing was asked for: none of the api_public_credentials" in caplog.text
    assert "has a company_id" in caplog.text


def test_an_empty_list_may_say_so_with_errors_of_null(run: Callable[..., Any], factorial: Start) -> None:
    output = run(factorial(answers(teams__teams=Answer({"errors": None}))).url, "teams_teams")
    assert output.counts() == {}
    assert output.of("ACTIVATE_VERSION") == []


def test_an_empty_list_that_says_so_with_errors_of_null_takes_no_rows_away(
    run: Callable[..., Any], factorial: Start, caplog: pytest.LogCaptureFixture
) -> None:
    def answer(asked: Asked) -> Answer:
        return Answer({"errors": None}) if asked.query["contact_type"] == "vendor" else page({"id": "1"})

    output = run(factorial(answer).url, "finance_contacts")
    assert output.counts() == {"finance_contacts": 1}
    assert output.of("ACTIVATE_VERSION") == []
    assert "1 of the answers lacked their list" in caplog.text


def test_a_parent_that_may_not_be_read_leaves_the_children_of_the_others(
    run: Callable[..., Any], factorial: Start, caplog: pytest.LogCaptureFixture
) -> None:
    def answer(asked: Asked) -> Answer:
        if asked.path.endswith("tasks/tasks"):
            return page({"id": "1"}, {"id": "2"})
        return Answer({"message": "no"}, 403) if asked.query["task_id"] == "1" else page({"id": "9", "task_id": "2"})

    output = run(factorial(answer).url, "tasks_task_files")
    assert [record["id"] for record in output.records("tasks_task_files")] == ["9"]
    assert output.of("ACTIVATE_VERSION") == []
    assert "1 of the tasks_tasks that it walks may not be read by this credential" in caplog.text


def test_children_of_a_parent_that_is_gone_are_left_out(run: Callable[..., Any], factorial: Start) -> None:
    def answer(asked: Asked) -> Answer:
        if asked.path.endswith("tasks/tasks"):
            return page({"id": "1"}, {"id": "2"})
        return Answer({"message": "no"}, 404) if asked.query["task_id"] == "1" else page({"id": "9", "task_id": "2"})

    output = run(factorial(answer).url, "tasks_task_files")
    assert [record["id"] for record in output.records("tasks_task_files")] == ["9"]


def test_a_batch_that_is_not_found_keeps_the_children_of_the_parents_that_are_there(
    run: Callable[..., Any], factorial: Start
) -> None:
    def answer(asked: Asked) -> Answer:
        if asked.path.endswith("posts/posts"):
            return page(*({"id": str(number)} for number in range(50)))
        ids = [part.partition("=")[2] for part in asked.query_text.split("&") if part.startswith("post_ids")]
        return Answer({"message": "no"}, 404) if "7" in ids else page(*({"id": f"c{post}"} for post in ids))

    vendor = factorial(answer)
    output = run(vendor.url, "posts_comments")
    assert len(output.records("posts_comments")) == 49
    assert vendor.paths()[f"{LISTS}posts/comments"] < 15


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({"api_version": "next"}, "Set `api_version` to a version of the API, such as 2026-10-01."),
        ({"api_version": "2026-02-01"}, "Set `api_version` to a version of the API"),
        ({"api_version": "2030-01-01"}, "Set `api_version` to 2026-10-01, the newest that this tap knows"),
        ({"date_window_days": 0}, "Set `date_window_days` to a number from 1 to 366."),
        ({"date_window_days": "week"}, "date_window_days"),
        ({"api_key": ""}, "Set `api_key`"),
        ({"api_key": "two words"}, "Set `api_key` to the bare text"),
        ({"access_token": "t"}, "leave one of them"),
        ({"api_url": "nowhere"}, "Set `api_url`"),
    ],
)
def test_settings_that_cannot_work_are_a_sentence(config: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigValidationError) as error:
        TapFactorial(config={"api_key": "k", **config})
    assert sentence in " ".join(error.value.errors)


def test_the_catalog_needs_neither_credentials_nor_network() -> None:
    tap = TapFactorial(config={"api_url": "http://127.0.0.1:9"}, validate_config=False)
    names = {stream["tap_stream_id"] for stream in tap.catalog_dict["streams"]}
    assert len(names) == 164  # all but three with many requests and two that want a setting
    assert {"trainings_sessions", "performance_review_processes", "finance_accounts"} <= names
    everything = {"optional_streams": ["*"], "integration_uuid": "u"}
    assert len(TapFactorial(config=everything, validate_config=False).streams) == 169


def test_a_dead_key_is_one_sentence(run: Callable[..., Any]) -> None:

    with (
        host(lambda asked: Answer({"errors": None}, 401)) as vendor,
        pytest.raises(RunError, match="refuses the API key"),
    ):
        run(vendor.url)
