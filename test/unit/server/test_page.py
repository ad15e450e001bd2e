"""The status page."""

from __future__ import annotations

import re
from typing import Any

import pytest
from api_double import Api

from resource_airbyte.engine.control.overview import Row
from resource_airbyte.engine.server.page import POLICY, STYLE_HASH, document

ROW = Row(name="n", source="s", destination="d", status="active", schedule="manual")


def test_the_page_stands_by_itself_and_lists_connections_with_their_last_jobs(api: Api, connection: Any) -> None:
    job = api.post("connections/sync", {"connectionId": connection["connectionId"]})["job"]
    response = api.request("GET", "/")
    assert response.headers["content-type"].startswith("text/html")
    assert response.headers["content-security-policy"] == POLICY
    assert "people to ware" in response.text
    assert f"sync {job['id']}" in response.text
    assert "content execute --name 'people to ware'" in response.text.replace("&#x27;", "'")
    assert not re.search(r"<script|src=|href=|url\(|@import", response.text)


def test_an_empty_page_says_what_to_do_first(api: Api) -> None:
    text = api.request("GET", "/").text
    assert "no connections yet" in text
    assert "content execute --config" in text


def test_the_page_is_on_the_web_port_alone(app: Any) -> None:
    assert Api(app, "http://localhost:8000").request("GET", "/").status_code == 200
    response = Api(app, "http://localhost:8001").request("GET", "/")
    assert (response.status_code, response.json()["details"]["code"]) == (404, "not_found")


def test_names_are_escaped() -> None:
    evil = "<img src=x onerror=alert(1)>'\"&"
    row = Row(evil, evil, evil, evil, evil, job=1, job_status=evil, job_type=evil, updated_at=0.0)
    page = document([row], 0.0)
    assert "<img" not in page
    assert "&lt;img src=x" in page


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "0 s ago"), (59, "59 s ago"), (60, "1 min ago"), (7200, "2 h ago"), (172800, "2 d ago")]
)
def test_times_are_said_in_words(seconds: int, words: str) -> None:
    row = Row(
        "n",
        "s",
        "d",
        "active",
        "manual",
        job=7,
        job_status="failed",
        job_type="sync",
        records=1234567,
        updated_at=1000.0,
    )
    page = document([row], 1000.0 + seconds)
    assert words in page
    assert "1,234,567" in page
    assert "resource-airbyte logs --job 7" in page


def test_the_only_style_is_the_one_that_the_policy_names() -> None:
    page = document([ROW], 0.0)
    assert page.count("<style>") == 1
    assert "style=" not in page
    assert STYLE_HASH in POLICY
