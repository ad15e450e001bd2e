"""Columns that DuckDB would take for one and the same."""

from __future__ import annotations

import pytest

from resource_airbyte.native.duckdb.dialect import DuckDBDialect
from resource_airbyte.native.sql.names import column_names, quoted

DIALECT = DuckDBDialect()


@pytest.mark.parametrize("fields", [["id", "ID"], ["ID", "id"]])
def test_of_two_names_that_differ_in_case_the_lower_one_stays_whatever_their_order(fields: list[str]) -> None:
    assert column_names(fields, DIALECT) == {"id": "id", "ID": "ID_1"}
    assert list(column_names(fields, DIALECT)) == fields


def test_a_new_name_is_never_one_that_another_field_has() -> None:
    assert column_names(["id", "ID", "id_1"], DIALECT) == {"id": "id", "ID": "ID_2", "id_1": "id_1"}


def test_a_field_cannot_take_the_place_of_a_column_of_airbytes() -> None:
    assert column_names(["_airbyte_meta"], DIALECT) == {"_airbyte_meta": "_airbyte_meta_1"}


def test_an_empty_name_gets_one() -> None:
    assert column_names([""], DIALECT) == {"": "_"}


def test_quotes_are_doubled() -> None:
    assert quoted('a"b') == '"a""b"'


def test_what_was_written_down_holds_also_when_the_rival_is_gone() -> None:
    kept = {"ID": "ID_1"}
    assert column_names(["ID"], DIALECT, ["id", "ID_1"], kept) == {"ID": "ID_1"}
    assert column_names(["Id"], DIALECT, ["id", "ID_1"], kept) == {"Id": "Id_2"}


def test_a_column_that_is_spelled_differently_is_anothers() -> None:
    assert column_names(["id"], DIALECT, ["ID"], {}) == {"id": "id_1"}
    assert column_names(["id", "ID"], DIALECT, ["ID"], {}) == {"id": "id_1", "ID": "ID"}


def test_where_nothing_was_written_down_it_may_be_the_same() -> None:
    assert column_names(["id"], DIALECT, ["ID"]) == {"id": "id"}
