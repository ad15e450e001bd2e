"""Every key of the public PostgreSQL destination is used or refused by name, and none is passed over."""

from __future__ import annotations

import gzip
import json
import uuid
from pathlib import Path
from typing import Any

import psycopg
import pytest

from resource_airbyte.errors import ConnectorError
from resource_airbyte.native.postgres import SPECIFICATION, check
from resource_airbyte.native.postgres.connecting import SINCE, _session
from resource_airbyte.native.postgres.database import _numbered
from resource_airbyte.native.postgres.dialect import PostgresDialect
from resource_airbyte.native.postgres.failures import refused_connection, translated
from resource_airbyte.native.postgres.specification import Configuration, configuration
from resource_airbyte.native.sql.rawids import AT_ONCE, RawIds

NEEDED: dict[str, Any] = {
    "host": "db.example.com",
    "port": 5432,
    "database": "shop",
    "schema": "public",
    "username": "loader",
}
KEY = {"tunnel_host": "jump", "tunnel_port": 22, "tunnel_user": "u"}


def read(**more: Any) -> Configuration:
    return configuration({**NEEDED, **more})


def test_the_keys_are_those_of_the_public_connector(shared: Path) -> None:
    specs = json.loads(gzip.decompress((shared / "airbyte" / "specs.json.gz").read_bytes()))
    theirs = specs["airbyte/destination-postgres"]["connectionSpecification"]
    ours = SPECIFICATION["connectionSpecification"]
    assert set(ours["properties"]) == set(theirs["properties"])
    assert ours["required"] == theirs["required"]
    for name in ("ssl_mode", "tunnel_method"):
        branches = ours["properties"][name]["oneOf"], theirs["properties"][name]["oneOf"]
        for our, their in zip(*branches, strict=True):
            assert set(their["properties"]) <= set(our["properties"])
            assert set(our["required"]) <= set(their["required"])
            for key, described in their["properties"].items():
                assert our["properties"][key].get("airbyte_secret") == described.get("airbyte_secret")


def test_what_is_left_out_has_the_public_connectors_defaults() -> None:
    made = read()
    assert (made.schema, made.internal_schema, made.security.mode) == ("public", "airbyte_internal", "prefer")
    assert (made.password, made.tunnel, made.drop_cascade, made.soft_deletes) == (None, None, False, False)
    assert made.place == "PostgreSQL db.example.com:5432/shop"


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"host": ""}, "host is missing"),
        ({"port": "many"}, "port is not of the type integer"),
        ({"port": True}, "port is not of the type integer"),
        ({"ssl": "yes"}, "ssl is not of the type boolean"),
        ({"schema": "pg_catalog"}, "reserved"),
        ({"schema": "airbyte_internal"}, "reserved"),
        ({"schema": "inside", "raw_data_schema": "inside"}, "reserved"),
        ({"disable_type_dedupe": True}, "disable_type_dedupe"),
        ({"cdc_deletion_mode": "Never"}, "cdc_deletion_mode"),
        ({"sslmode": "require"}, "sslmode is not a key"),
        ({"ssl_mode": {"mode": "verify-all"}}, "ssl_mode.mode is 'verify-all'"),
        ({"ssl_mode": {}}, "ssl_mode.mode is None"),
        ({"ssl_mode": {"mode": "verify-ca"}}, "ssl_mode.ca_certificate is missing"),
        ({"ssl_mode": {"mode": "require", "ca_certificate": "x"}}, "ssl_mode.ca_certificate is not a key"),
        ({"ssl_mode": {"mode": "verify-full", "ca_certificate": "x", "client_key": "k"}}, "belong together"),
        ({"ssl_mode": {"mode": "verify-ca", "ca_certificate": "x", "client_key_password": "p"}}, "client_key_password"),
        ({"ssl": False, "ssl_mode": {"mode": "require"}}, "ssl is false"),
        ({"ssl": True, "ssl_mode": {"mode": "disable"}}, "ssl is true"),
        ({"ssl": True, "jdbc_url_params": "sslmode=disable"}, "ssl is true"),
        ({"jdbc_url_params": "ssl=true"}, "whose certificate is believed"),
        ({"jdbc_url_params": "ssl=true&sslmode=disable"}, "ssl is true"),
        (
            {"ssl_mode": {"mode": "require"}, "jdbc_url_params": "sslmode=allow"},
            "sslmode in jdbc_url_params says allow",
        ),
        ({"jdbc_url_params": "sslmode=verify-full"}, "sslmode in jdbc_url_params is verify-full"),
        ({"jdbc_url_params": "prepareThreshold=0"}, "prepareThreshold is not a key"),
        ({"jdbc_url_params": "connectTimeout"}, "has no ="),
        ({"jdbc_url_params": "connectTimeout=soon"}, "connectTimeout"),
        ({"jdbc_url_params": "tcpKeepAlive=maybe"}, "tcpKeepAlive"),
        ({"jdbc_url_params": "targetServerType=secondary"}, "targetServerType"),
        ({"tunnel_method": {"tunnel_method": "VPN"}}, "tunnel_method.tunnel_method is 'VPN'"),
        ({"tunnel_method": {"tunnel_method": "SSH_KEY_AUTH", **KEY}}, "tunnel_method.ssh_key is missing"),
        ({"tunnel_method": {"tunnel_method": "NO_TUNNEL", **KEY}}, "tunnel_method.tunnel_host is not a key"),
    ],
)
def test_what_cannot_be_done_is_refused_by_name(more: dict[str, Any], words: str) -> None:
    found = check({**NEEDED, **more})
    assert found["status"] == "FAILED"
    assert words in found["message"]


def test_a_misspelt_key_is_told_what_it_might_be() -> None:
    with pytest.raises(ConnectorError) as caught:
        read(ssl_mod={"mode": "require"})
    assert caught.value.failure_type == "config_error"
    assert "ssl_mode" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("connectTimeout=7&socketTimeout=30", {"connect_timeout": "7", "tcp_user_timeout": "30000"}),
        ("loginTimeout=7", {"connect_timeout": "7"}),
        ("tcpKeepAlive=false", {"keepalives": "0"}),
        ("ApplicationName=my%20loader", {"application_name": "my loader"}),
        ("targetServerType=primary", {"target_session_attrs": "primary"}),
        ("options=-c%20work_mem%3D64MB", {"options": "-c work_mem=64MB"}),
        ("options=-c%20a%3Db&currentSchema=my%20own", {"options": "-c a=b -c search_path=my\\ own"}),
        ("channelBinding=require&requireAuth=scram-sha-256&gssEncMode=prefer",
         {"channel_binding": "require", "require_auth": "scram-sha-256", "gssencmode": "prefer"}),
        ("", {}),
    ],
)  # fmt: skip
def test_parameters_of_the_java_driver_are_put_in_libpqs_terms(text: str, expected: dict[str, str]) -> None:
    assert read(jdbc_url_params=text).parameters.connection == expected


def test_a_limit_that_the_user_sets_is_left_alone() -> None:
    assert "statement_timeout" in _session("", 16_00_00)
    assert "statement_timeout" not in _session("-c statement_timeout=5s", 16_00_00)


def test_a_server_is_not_told_of_limits_that_it_does_not_know() -> None:
    told = [{name for name in SINCE if name in _session("", version)} for version in (13_00_00, 14_00_00, 17_00_00)]
    assert told == [set(), {"idle_session_timeout"}, set(SINCE)]


def test_a_port_may_come_as_its_digits() -> None:
    assert read(port="6543").port == 6543


# Names


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("users", "users"),
        ("Users", "Users"),
        ("my-table.x", "my_table_x"),
        ("späce  ünïcode", "space_unicode"),
        ("2024", "_2024"),
        ("", "_"),
        ("表", "_"),
        ("n" * 63, "n" * 63),
        ("n" * 64, "n" * 54 + "_19465472"),
    ],
)
def test_names_are_those_of_direct_load(name: str, expected: str) -> None:
    assert PostgresDialect().identifier(name) == expected


def test_no_name_is_longer_than_postgresql_takes() -> None:
    assert len(PostgresDialect().identifier("n" * 63, "_12")) == 63
    assert PostgresDialect().identifier("n" * 63, "_12").endswith("_12")


def test_only_places_of_values_are_numbered() -> None:
    assert _numbered("SELECT \"a?\" , '?' FROM t WHERE x = ? AND y = ?") == (
        "SELECT \"a?\" , '?' FROM t WHERE x = $1 AND y = $2"
    )


# Raw ids


def test_raw_ids_are_uuids_that_grow() -> None:
    ids = RawIds()
    made = [text for rows in (3, AT_ONCE, 1) for text in ids.column(rows).to_pylist()]
    assert made == sorted(set(made))
    assert {(uuid.UUID(text).version, uuid.UUID(text).variant) for text in made} == {(7, uuid.RFC_4122)}


# Errors


@pytest.mark.parametrize(
    ("text", "words", "kind"),
    [
        ("connection failed: Connection refused\n\tIs the server running?", "Nobody answers", "transient_error"),
        ("connection timeout expired", "cannot be reached", "transient_error"),
        ('FATAL:  password authentication failed for user "u"', "refused the username", "config_error"),
        ('FATAL:  database "shop" does not exist', "has no database shop", "config_error"),
        ("FATAL:  sorry, too many clients already", "no free connections", "transient_error"),
        ("FATAL:  the database system is starting up", "starting or stopping", "transient_error"),
        ('could not translate host name "x" to address: Name or service not known', "not known", "config_error"),
        ("server does not support SSL, but SSL was required", "does not speak SSL", "config_error"),
        ("something new", "something new", "transient_error"),
    ],
)
def test_a_failed_connection_is_told_in_plain_words(text: str, words: str, kind: str) -> None:
    error = refused_connection("PostgreSQL db:5432/shop", psycopg.OperationalError(text))
    assert words in error.message
    assert error.failure_type == kind


@pytest.mark.parametrize(
    ("error", "words", "kind"),
    [
        (psycopg.errors.DiskFull("could not extend file"), "disk of PG is full", "config_error"),
        (psycopg.errors.InsufficientPrivilege("permission denied for schema x"), "permission denied", "config_error"),
        (psycopg.errors.DeadlockDetected("deadlock detected"), "deadlock", "transient_error"),
        (psycopg.errors.LockNotAvailable("canceling statement"), "held a table", "transient_error"),
        (psycopg.errors.AdminShutdown("terminating connection"), "ended the connection", "transient_error"),
        (psycopg.errors.ReadOnlySqlTransaction("cannot execute"), "read-only", "config_error"),
        (psycopg.OperationalError("consuming input failed"), "connection to PG was lost", "transient_error"),
        (psycopg.errors.SyntaxError("syntax error"), "syntax error", "system_error"),
    ],
)
def test_a_failed_statement_is_told_in_plain_words(error: psycopg.Error, words: str, kind: str) -> None:
    found = translated("PG", error)
    assert words in found.message
    assert found.failure_type == kind
