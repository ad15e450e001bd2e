"""What every native destination must do, through its seam alone.

A module that imports these tests brings a fixture `warehouse`: a fresh Warehouse, where tables can be looked at between
attempts.
"""

from __future__ import annotations

import json
import random
import re
import time
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import replace
from decimal import Decimal
from typing import Any, Protocol

import pytest
from msgspec import Raw

from resource_airbyte.errors import CheckpointLost, ConnectorError, Fenced
from resource_airbyte.protocol.chunk import Chunk
from resource_airbyte.protocol.messages import Record, StreamDescriptor
from resource_airbyte.protocol.seams import Checkpoint, Destination, StateKey, StreamSetup, WriteSetup

USERS = StreamDescriptor("users")
ORDERS = StreamDescriptor("orders", "shop")
ALL = frozenset([USERS, ORDERS])
SCHEMA = {
    "type": "object",
    "properties": {
        "id": {"type": "integer"},
        "name": {"type": "string"},
        "updated_at": {"type": "string", "format": "date-time"},
        "nested": {"type": "object", "properties": {"key": {"type": "string"}, "rank": {"type": "integer"}}},
    },
}


class Warehouse(Protocol):
    """Where a destination writes."""

    def destination(self) -> Destination:
        """A destination that is not open yet."""
        ...

    def rows(self, stream: StreamDescriptor, *columns: str) -> list[tuple[Any, ...]]:
        """The rows of a stream's table, sorted; the columns are the stream's or Airbyte's."""
        ...

    def tables(self) -> set[str]:
        """`schema.name` of every table that a user sees, bookkeeping aside but staged ones included."""
        ...

    def remove(self, table: str) -> None:
        """Take away one of `tables`, as a careless person would."""
        ...

    def forget(self, connection_id: str) -> None:
        """Drop what the destination remembers of this connection, as a careless person would."""
        ...

    def held(self) -> dict[str, list[Any]]:
        """The ids in every table that a user sees, sorted, by the table's name."""
        ...

    def columns(self, stream: StreamDescriptor) -> list[list[Any]]:
        """The values in each column of a stream's table, Airbyte's own aside."""
        ...

    # A warehouse may also say `deduplicates = False`, `exact = True` if its numbers have any number of digits, and
    # `nul = False` if it has no such character.


def stream(descriptor: StreamDescriptor = USERS, mode: str = "append", **changes: Any) -> StreamSetup:
    """A stream to be written; `generation` 1, not truncating, unless said; its sync id is the fence's."""
    setup = StreamSetup(
        stream=descriptor,
        name=descriptor.name,
        namespace=descriptor.namespace,
        json_schema=SCHEMA,
        destination_sync_mode=mode,
        primary_key=(("id",),) if mode == "append_dedup" else (),
        cursor=("updated_at",) if mode == "append_dedup" else (),
        generation=1,
        minimum_generation=0,
        sync_id=0,
        epoch=1,
        sequence=0,
    )
    return replace(setup, **changes)


def chunk(records: Iterable[dict[str, Any]], descriptor: StreamDescriptor = USERS, emitted_at: int = 1000) -> Chunk:
    """These records, as a source would send them."""
    texts = [json.dumps(record).encode() for record in records]
    made = [Record(descriptor.name, Raw(text), emitted_at, descriptor.namespace) for text in texts]
    return Chunk(descriptor, made, [], sum(map(len, texts)))


def people(first: int, last: int, **more: Any) -> list[dict[str, Any]]:
    return [{"id": number, "name": f"n{number}", **more} for number in range(first, last + 1)]


def checkpoint(sequence: int, of: StreamDescriptor | None = USERS, generation: int = 1, epoch: int = 1) -> Checkpoint:
    key = StateKey("stream", of) if of else StateKey("global")
    payload = json.dumps({"type": "STREAM" if of else "GLOBAL", "seq": sequence}).encode()
    return Checkpoint(key, generation if of else 0, epoch, sequence, payload)


class Attempt:
    """One use of the seam, as the engine makes it."""

    def __init__(self, warehouse: Warehouse, *streams: StreamSetup, fence: int = 1, **more: Any) -> None:
        dedups = any(setup.destination_sync_mode == "append_dedup" for setup in streams)
        if dedups and not getattr(warehouse, "deduplicates", True):
            pytest.skip("this destination does not deduplicate")
        self.returned: list[Checkpoint] = []
        self.destination = warehouse.destination()
        more.setdefault("commit_interval", 3600.0)
        given = tuple(replace(setup, sync_id=setup.sync_id or fence) for setup in streams or (stream(),))
        self.counts: dict[StreamDescriptor, tuple[int, int]] = {}  # of each stream: rows to be seen, and waiting ones
        self.setup = WriteSetup("c", fence, given, committed=self._committed, counted=self._counted, **more)

    def __enter__(self) -> Attempt:
        try:
            self.held = self.destination.open(self.setup)
        except BaseException:
            self.destination.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.destination.close()

    def _committed(self, checkpoint: Checkpoint) -> None:
        self.returned.append(checkpoint)
        self.known = dict(self.counts)  # with the checkpoint

    def _counted(self, of: StreamDescriptor, visible: int, waiting: int) -> None:
        self.counts[of] = visible, waiting

    def write(self, records: Iterable[dict[str, Any]], of: StreamDescriptor = USERS, at: int = 1000) -> None:
        self.destination.write(chunk(records, of, at))

    def state(self, sequence: int, of: StreamDescriptor | None = USERS, generation: int = 1, epoch: int = 1) -> None:
        self.destination.state(checkpoint(sequence, of, generation, epoch))

    def flush(self) -> None:
        self.destination.flush()

    def finish(self, complete: frozenset[StreamDescriptor] = ALL) -> dict[StreamDescriptor, int | None]:
        return self.destination.finish(complete)


def keeps_digits(warehouse: Warehouse) -> bool:
    """Whether its numbers have any number of digits."""
    return bool(getattr(warehouse, "exact", False))


def ids(warehouse: Warehouse, of: StreamDescriptor = USERS) -> list[int]:
    return [row[0] for row in warehouse.rows(of, "id")]


# Rows and states


def test_appended_rows_have_the_columns_of_direct_load(warehouse: Warehouse) -> None:
    with Attempt(warehouse) as attempt:
        attempt.write(people(1, 2))
        assert attempt.finish() == {USERS: 2}
    rows = warehouse.rows(USERS, "id", "name", "_airbyte_generation_id", "_airbyte_meta")
    assert [(*row[:3], json.loads(row[3])) for row in rows] == [
        (1, "n1", 1, {"sync_id": 1, "changes": []}),
        (2, "n2", 1, {"sync_id": 1, "changes": []}),
    ]
    assert len({row[0] for row in warehouse.rows(USERS, "_airbyte_raw_id")}) == 2


def test_append_keeps_what_was_there(warehouse: Warehouse) -> None:
    for number in (1, 2):
        with Attempt(warehouse, fence=number) as attempt:
            attempt.write(people(number, number))
            attempt.finish()
    assert ids(warehouse) == [1, 2]


def test_states_come_back_only_with_their_records_and_of_each_stream_the_newest(warehouse: Warehouse) -> None:
    with Attempt(warehouse) as attempt:
        attempt.write(people(1, 1))
        attempt.state(1)
        attempt.write(people(2, 2))
        attempt.state(2)
        assert attempt.returned == []
        attempt.flush()
        assert attempt.returned == [checkpoint(2)]


def test_a_commit_interval_of_zero_returns_each_state_at_once(warehouse: Warehouse) -> None:
    with Attempt(warehouse, commit_interval=0.0) as attempt:
        attempt.write(people(1, 1))
        attempt.state(1)
        assert len(attempt.returned) == 1


def test_of_an_incomplete_stream_stays_exactly_what_its_last_state_covers(warehouse: Warehouse) -> None:
    with Attempt(warehouse) as attempt:
        attempt.write(people(1, 3))
        attempt.state(1)
        attempt.write(people(4, 9))
        assert attempt.finish(frozenset()) == {USERS: 3}
    assert ids(warehouse) == [1, 2, 3]


def test_a_flush_commits_no_record_that_is_not_covered(warehouse: Warehouse) -> None:
    with Attempt(warehouse) as attempt:
        attempt.write(people(1, 3))
        attempt.state(1)
        attempt.write(people(4, 9))
        assert attempt.counts == {USERS: (0, 0)}
        attempt.flush()
        assert attempt.known == {USERS: (3, 0)}
    assert ids(warehouse) == [1, 2, 3]


def test_a_stream_without_states_is_published_when_complete_and_not_otherwise(warehouse: Warehouse) -> None:
    streams = stream(), stream(ORDERS)
    with Attempt(warehouse, *streams) as attempt:
        attempt.write(people(1, 3))
        attempt.write(people(1, 2), ORDERS)
        attempt.flush()
        assert attempt.finish(frozenset([ORDERS])) == {USERS: 0, ORDERS: 2}
    assert (ids(warehouse), ids(warehouse, ORDERS)) == ([], [1, 2])


def test_an_append_without_states_that_is_repeated_in_the_same_sync_is_not_doubled(warehouse: Warehouse) -> None:
    with Attempt(warehouse) as attempt:
        attempt.write(people(8, 9))
        attempt.finish()
    for fence in (2, 3):  # two attempts of one job: the first died before it could say that it had finished
        with Attempt(warehouse, stream(sync_id=8), fence=fence) as attempt:
            attempt.write(people(1, 2))
            attempt.finish()
    assert ids(warehouse) == [1, 2, 8, 9]


@pytest.mark.parametrize("truncates", [False, True])
def test_rows_after_the_last_state_that_come_again_in_the_same_sync_are_not_doubled(
    warehouse: Warehouse, truncates: bool
) -> None:
    setup = truncating(sync_id=8) if truncates else stream(sync_id=8)
    of = {"generation": setup.generation, "epoch": setup.epoch}
    with Attempt(warehouse, setup) as attempt:
        attempt.write(people(1, 3))
        attempt.state(1, **of)
        attempt.write(people(4, 5))
        attempt.finish()  # then it dies before it could say so, or another stream makes the sync fail
    with Attempt(warehouse, setup, fence=2) as attempt:
        assert [found.sequence for found in attempt.held] == [1]
        attempt.write(people(4, 6))
        attempt.state(2, **of)
        attempt.flush()
        attempt.write(people(7, 7))
        attempt.finish()
    assert ids(warehouse) == list(range(1, 8))
    for fence, complete in ((3, frozenset()), (4, ALL), (5, ALL)):
        with Attempt(warehouse, setup, fence=fence) as attempt:
            assert [found.sequence for found in attempt.held] == [2]
            attempt.write(people(7, 8))
            attempt.finish(complete)
    assert ids(warehouse) == list(range(1, 9))
    with Attempt(warehouse, replace(setup, sync_id=9, minimum_generation=0), fence=6) as attempt:
        attempt.write(people(9, 9))
        attempt.finish()
    assert ids(warehouse) == list(range(1, 10))


def test_an_append_that_begins_anew_in_the_same_sync_is_not_doubled_although_states_covered_it(
    warehouse: Warehouse,
) -> None:
    with Attempt(warehouse) as attempt:
        attempt.write(people(8, 9))
        attempt.state(1)
        attempt.finish()
    for fence in (2, 3):  # another stream failed, so that the job was tried again
        setup = stream(sync_id=8, generation=fence, epoch=fence, begins_anew=True)
        with Attempt(warehouse, setup, fence=fence) as attempt:
            for number in (1, 2):
                attempt.write(people(number, number))
                attempt.state(number, generation=fence, epoch=fence)
                attempt.flush()
            attempt.write(people(3, 3))
            attempt.finish()
        assert ids(warehouse) == [1, 2, 3, 8, 9]
    with Attempt(warehouse, replace(setup, sync_id=9, generation=4, epoch=4), fence=4) as attempt:
        attempt.write(people(1, 1))
        attempt.finish()
    assert ids(warehouse) == [1, 1, 2, 3, 8, 9]


@pytest.mark.parametrize("truncates", [False, True])
def test_a_clock_that_is_set_back_between_attempts_neither_loses_nor_doubles_a_row(
    warehouse: Warehouse, truncates: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    setup, now = truncating(sync_id=8) if truncates else stream(sync_id=8), time.time_ns
    of = {"generation": setup.generation, "epoch": setup.epoch}
    with Attempt(warehouse, setup) as attempt:
        attempt.write(people(1, 3))
        attempt.state(1, **of)
        if truncates:
            attempt.write(people(4, 4))
        attempt.finish(ALL if truncates else frozenset())
    for fence in (2, 3, 4):
        monkeypatch.setattr(time, "time_ns", lambda hours=fence: now() - hours * 3_600_000_000_000)
        with Attempt(warehouse, setup, fence=fence) as attempt:
            attempt.write(people(4, 5))
            attempt.finish()  # what no state covers comes again
    assert ids(warehouse) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("begins_anew", [True, False])
def test_a_sync_takes_nothing_back_of_a_lost_one_that_had_its_number(warehouse: Warehouse, begins_anew: bool) -> None:
    """Its number is used again when the metadata database comes from a backup."""
    setup = stream(sync_id=8, begins_anew=begins_anew)
    with Attempt(warehouse, setup, fence=7, first_fence=7) as attempt:
        attempt.write(people(1, 2))
        attempt.finish()
    for fence in (9, 10):
        setup = replace(setup, generation=fence if begins_anew else 1)
        with Attempt(warehouse, setup, fence=fence, first_fence=9) as attempt:
            attempt.write(people(2, 3))
            attempt.finish()
        assert ids(warehouse) == [1, 2, 2, 3]


def test_a_global_state_covers_every_stream(warehouse: Warehouse) -> None:
    with Attempt(warehouse, stream(), stream(ORDERS)) as attempt:
        attempt.write(people(1, 2))
        attempt.write(people(1, 1), ORDERS)
        attempt.state(1, None)
        attempt.write(people(2, 2), ORDERS)
        attempt.finish(frozenset())
    assert (ids(warehouse), ids(warehouse, ORDERS)) == ([1, 2], [1])


@pytest.mark.parametrize("earlier", [False, True])
def test_a_global_state_that_names_others_leaves_a_stream_with_states_of_its_own_uncovered(
    warehouse: Warehouse, earlier: bool
) -> None:
    """Should the attempt die, the source sends again what came after that stream's own state."""
    text = b'{"global":{"stream_states":[{"stream_descriptor":{"name":"orders","namespace":"shop"}}]}}'
    both = stream(), stream(ORDERS)
    for fence in (1, 2):
        with Attempt(warehouse, *both, fence=fence) as attempt:
            if (fence == 1) is earlier:
                attempt.state(1)
            if fence == 2:
                attempt.write(people(1, 1))
                attempt.write(people(1, 1), ORDERS)
                attempt.destination.state(replace(checkpoint(1, None), payload=text))
                attempt.finish(frozenset())
            attempt.flush()
    assert (ids(warehouse), ids(warehouse, ORDERS)) == ([], [1])


def test_a_state_of_one_stream_leaves_the_others_uncovered(warehouse: Warehouse) -> None:
    with Attempt(warehouse, stream(), stream(ORDERS)) as attempt:
        attempt.write(people(1, 2))
        attempt.write(people(1, 1), ORDERS)
        attempt.state(1, ORDERS)
        attempt.finish(frozenset())
    assert (ids(warehouse), ids(warehouse, ORDERS)) == ([], [1])


def test_checkpoints_are_found_again(warehouse: Warehouse) -> None:
    with Attempt(warehouse, stream(), stream(ORDERS)) as attempt:
        attempt.state(4)
        attempt.state(5)
        attempt.state(1, ORDERS)
        attempt.state(2, None)
        attempt.flush()
    with Attempt(warehouse, stream(), stream(ORDERS), fence=2) as attempt:
        held = sorted(attempt.held, key=lambda found: found.sequence)
    assert held == [checkpoint(1, ORDERS), checkpoint(2, None), checkpoint(5)]


def test_states_that_are_given_together_are_committed_together_with_the_end_of_another(warehouse: Warehouse) -> None:
    streams, end = (stream(), stream(ORDERS)), replace(checkpoint(2, None), payload=b"")
    with Attempt(warehouse, *streams, commit_interval=0.0) as attempt:
        attempt.state(1, None)
        attempt.write(people(1, 2))
        attempt.write(people(3, 3), ORDERS)
        attempt.destination.state(checkpoint(1), checkpoint(1, ORDERS), end)
    assert (ids(warehouse), ids(warehouse, ORDERS)) == ([1, 2], [3])
    with Attempt(warehouse, *streams, fence=2, expected=(checkpoint(1, None),)) as attempt:
        assert sorted(attempt.held, key=str) == sorted([checkpoint(1), checkpoint(1, ORDERS), end], key=str)


# One writer


def test_an_older_attempt_is_fenced_at_open(warehouse: Warehouse) -> None:
    with Attempt(warehouse, fence=5):
        pass
    with pytest.raises(Fenced), Attempt(warehouse, fence=4):
        pass


def test_an_attempt_of_a_number_that_has_been_here_is_fenced_at_open(warehouse: Warehouse) -> None:
    with Attempt(warehouse, fence=5):
        pass
    with pytest.raises(Fenced) as caught, Attempt(warehouse, fence=5):
        pass
    assert caught.value.details == {"held": 5, "ours": 5}


def test_an_older_attempt_is_fenced_at_its_next_commit(warehouse: Warehouse) -> None:
    with Attempt(warehouse, fence=1) as old:
        old.write(people(1, 1))
        old.state(1)
        with Attempt(warehouse, fence=2) as new:
            new.write(people(2, 2))
            new.state(1)
            new.finish()
        with pytest.raises(Fenced):
            old.flush()
        assert old.returned == []
    assert ids(warehouse) == [2]


# Lost checkpoints


def test_a_state_whose_checkpoint_is_gone_is_refused(warehouse: Warehouse) -> None:
    with Attempt(warehouse) as attempt:
        attempt.state(3)
        attempt.flush()
    warehouse.forget("c")
    with pytest.raises(CheckpointLost) as caught, Attempt(warehouse, expected=(checkpoint(3),), fence=2):
        pass
    assert "content refresh" in str(caught.value.hint)


@pytest.mark.parametrize("complete", [frozenset(), ALL])
def test_a_stream_that_is_to_go_on_where_it_was_not_loaded_last_is_refused(
    warehouse: Warehouse, complete: frozenset[StreamDescriptor]
) -> None:
    with Attempt(warehouse) as attempt:
        attempt.write(people(1, 2))
        attempt.state(1)
        attempt.finish()
    with Attempt(warehouse, truncating(namespace="elsewhere"), fence=2) as attempt:  # a new epoch may begin anywhere
        attempt.write(people(1, 4))
        attempt.state(1, generation=2, epoch=2)
        attempt.finish(complete)
    back = truncating(), replace(truncating(), minimum_generation=0)
    for fence, setup in enumerate(back, 3):  # here is a table, but of what came before
        with pytest.raises(CheckpointLost, match="elsewhere"), Attempt(warehouse, setup, fence=fence):
            pass
    with Attempt(warehouse, truncating(generation=3), fence=5) as attempt:
        attempt.write(people(1, 4))
        attempt.finish()
    assert ids(warehouse) == [1, 2, 3, 4]


@pytest.mark.parametrize("of", [USERS, None], ids=["stream", "global"])
@pytest.mark.parametrize("staged", [False, True])
def test_a_stream_whose_rows_somebody_has_removed_is_refused(
    warehouse: Warehouse, of: StreamDescriptor | None, staged: bool
) -> None:
    filled(warehouse)
    setup = truncating() if staged else stream()
    given = {"generation": setup.generation, "epoch": setup.epoch}
    before = warehouse.tables()
    with Attempt(warehouse, setup, fence=2) as attempt:
        attempt.write(people(1, 2))
        attempt.state(1, of, **given)
        attempt.finish(frozenset() if staged else ALL)
    (table,) = warehouse.tables() - before if staged else before
    warehouse.remove(table)
    for fence, minimum in enumerate({0, setup.minimum_generation}, 3):
        again = replace(setup, minimum_generation=minimum)
        with (
            pytest.raises(CheckpointLost, match="users") as caught,
            Attempt(warehouse, again, fence=fence, expected=(checkpoint(1, of, **given),)),
        ):
            pass
        assert "content refresh" in str(caught.value.hint)


def test_a_checkpoint_older_than_the_stored_state_is_refused(warehouse: Warehouse) -> None:
    with Attempt(warehouse) as attempt:
        attempt.state(3)
        attempt.flush()
    with pytest.raises(CheckpointLost), Attempt(warehouse, expected=(checkpoint(4),), fence=2):
        pass


def test_a_shared_state_is_looked_for_up_to_the_epoch_that_the_store_has_begun_since(warehouse: Warehouse) -> None:
    with Attempt(warehouse) as attempt:
        attempt.state(2, None, epoch=2)
        attempt.flush()
    began = checkpoint(0, None, epoch=3)
    for fence, heard in enumerate((checkpoint(5, None, epoch=1), checkpoint(2, None, epoch=2)), 2):
        with Attempt(warehouse, expected=(began, heard), fence=fence):
            pass
    older = checkpoint(0, None, epoch=1), checkpoint(5, None, epoch=1)
    unheard = (began, checkpoint(3, None, epoch=2)), (checkpoint(1, None, epoch=3),), older
    for fence, expected in enumerate(unheard, 4):
        with pytest.raises(CheckpointLost), Attempt(warehouse, expected=expected, fence=fence):
            pass


@pytest.mark.parametrize(
    "expected",
    [checkpoint(0), checkpoint(3, generation=2), checkpoint(3, epoch=2), checkpoint(3, StreamDescriptor("gone"))],
    ids=["nothing committed", "another generation", "another epoch", "a stream left out"],
)
def test_a_state_that_never_had_a_checkpoint_here_is_no_loss(warehouse: Warehouse, expected: Checkpoint) -> None:
    with Attempt(warehouse, expected=(expected,)) as attempt:
        assert attempt.held == []


def test_a_newer_checkpoint_than_the_stored_state_is_handed_out(warehouse: Warehouse) -> None:
    with Attempt(warehouse) as attempt:
        attempt.state(5)
        attempt.flush()
    with Attempt(warehouse, expected=(checkpoint(4),), fence=2) as attempt:
        assert attempt.held == [checkpoint(5)]


# Tables that are replaced


def truncating(generation: int = 2, mode: str = "append", **changes: Any) -> StreamSetup:
    return stream(mode=mode, generation=generation, minimum_generation=generation, epoch=generation, **changes)


def filled(warehouse: Warehouse) -> None:
    with Attempt(warehouse) as attempt:
        attempt.write(people(101, 103))
        attempt.finish()


def test_the_old_rows_stay_visible_until_a_truncating_sync_is_complete(warehouse: Warehouse) -> None:
    filled(warehouse)
    with Attempt(warehouse, truncating(), fence=2) as attempt:
        attempt.write(people(1, 2))
        attempt.state(1, generation=2, epoch=2)
        attempt.flush()
        assert (attempt.known, attempt.counts) == ({USERS: (0, 2)}, {USERS: (0, 2)})
        assert attempt.finish(frozenset()) == {USERS: 0}
    assert ids(warehouse) == [101, 102, 103]


def test_a_complete_truncating_sync_replaces_the_table(warehouse: Warehouse) -> None:
    filled(warehouse)
    with Attempt(warehouse, truncating(), fence=2) as attempt:
        attempt.write(people(1, 2))
        assert attempt.finish() == {USERS: 2}
    assert ids(warehouse) == [1, 2]
    assert warehouse.tables() == {"main.users"}


def test_a_complete_truncating_sync_without_records_empties_the_table(warehouse: Warehouse) -> None:
    filled(warehouse)
    with Attempt(warehouse, truncating(), fence=2) as attempt:
        attempt.finish()
    assert ids(warehouse) == []


def test_a_truncating_sync_goes_on_where_its_last_attempt_left_off(warehouse: Warehouse) -> None:
    filled(warehouse)
    with Attempt(warehouse, truncating(), fence=2) as attempt:
        attempt.write(people(1, 2))
        attempt.state(1, generation=2, epoch=2)
        attempt.write(people(3, 3))
        attempt.finish(frozenset())
    with Attempt(warehouse, truncating(), fence=3) as attempt:
        assert [found.sequence for found in attempt.held] == [1]
        attempt.write(people(3, 4))
        assert attempt.finish() == {USERS: 2}
        assert attempt.counts == {USERS: (2, 0)}
    assert ids(warehouse) == [1, 2, 3, 4]
    assert warehouse.tables() == {"main.users"}


def test_an_unfinished_refresh_is_ended_by_the_next_ordinary_sync(warehouse: Warehouse) -> None:
    filled(warehouse)
    with Attempt(warehouse, truncating(), fence=2) as attempt:
        attempt.write(people(1, 2))
        attempt.state(1, generation=2, epoch=2)
        attempt.finish(frozenset())
    with Attempt(warehouse, stream(generation=2, epoch=2), fence=3) as attempt:
        attempt.write(people(3, 3))
        attempt.finish()
    assert ids(warehouse) == [1, 2, 3]


@pytest.mark.parametrize("of", [USERS, None], ids=["stream", "global"])
def test_rows_after_a_state_that_came_before_any_are_not_covered_by_it(
    warehouse: Warehouse, of: StreamDescriptor | None
) -> None:
    for fence in (2, 3):
        with Attempt(warehouse, truncating(), fence=fence) as attempt:
            attempt.state(fence, of, generation=2, epoch=2)
            attempt.write(people(1, 3))
            attempt.flush()
            attempt.write(people(4, 4))
            attempt.finish(frozenset() if fence == 2 else ALL)
    assert ids(warehouse) == [1, 2, 3, 4]


@pytest.mark.parametrize("generation", [2, 3])
def test_a_staged_table_that_no_state_covers_is_begun_anew(warehouse: Warehouse, generation: int) -> None:
    with Attempt(warehouse, truncating(), fence=2) as attempt:
        attempt.write(people(1, 2))
        attempt.flush()
    with Attempt(warehouse, truncating(generation), fence=3) as attempt:
        attempt.write(people(7, 8))
        attempt.finish()
    assert ids(warehouse) == [7, 8]
    assert warehouse.tables() == {"main.users"}


def test_a_staged_table_of_an_older_generation_is_dropped(warehouse: Warehouse) -> None:
    with Attempt(warehouse, truncating(2), fence=2) as attempt:
        attempt.write(people(1, 2))
        attempt.state(1, generation=2, epoch=2)
        attempt.finish(frozenset())
    with Attempt(warehouse, truncating(3), fence=3) as attempt:
        attempt.write(people(7, 8))
        attempt.finish()
    assert ids(warehouse) == [7, 8]


def test_after_the_swap_the_same_generation_is_neither_emptied_nor_doubled(warehouse: Warehouse) -> None:
    with Attempt(warehouse, truncating(), fence=2) as attempt:
        attempt.write(people(1, 2))
        attempt.state(1, generation=2, epoch=2)
        attempt.finish()
    with Attempt(warehouse, truncating(), fence=3) as attempt:  # the one before died right after its swap
        assert [found.sequence for found in attempt.held] == [1]
        attempt.finish()
    assert ids(warehouse) == [1, 2]


def test_after_the_swap_a_stream_without_states_is_read_again_and_not_doubled(warehouse: Warehouse) -> None:
    for fence in (2, 3):
        with Attempt(warehouse, truncating(), fence=fence) as attempt:
            attempt.write(people(1, 2))
            attempt.finish()
    assert ids(warehouse) == [1, 2]


def test_a_hybrid_refresh_is_refused(warehouse: Warehouse) -> None:
    with pytest.raises(ConnectorError, match="hybrid refresh"):
        Attempt(warehouse, stream(generation=5, minimum_generation=3)).__enter__()


# Refreshes and clears, of streams of every mode

MODES = ("append", "append_dedup")


def loaded(warehouse: Warehouse, mode: str) -> None:
    """Two streams with a state each, in generation 1."""
    with Attempt(warehouse, stream(mode=mode), stream(ORDERS, mode)) as attempt:
        for of in (USERS, ORDERS):
            attempt.write(people(1, 3, updated_at=at(1)), of)
            attempt.state(1, of)
        attempt.finish()


def clearing(warehouse: Warehouse, generation: int, fence: int) -> Attempt:
    """An attempt of a clear: whatever the mode was, an overwrite by nothing."""
    return Attempt(warehouse, truncating(generation), fence=fence)


@pytest.mark.parametrize("mode", MODES)
def test_a_clear_empties_one_table_and_the_next_sync_begins_anew(warehouse: Warehouse, mode: str) -> None:
    loaded(warehouse, mode)
    tables = warehouse.tables()
    with clearing(warehouse, 2, fence=2) as attempt:
        assert attempt.finish() == {USERS: 0}
    assert (ids(warehouse), ids(warehouse, ORDERS)) == ([], [1, 2, 3])
    assert warehouse.tables() == tables
    for fence, names in ((3, [1, 2]), (4, [2, 3])):
        setups = stream(mode=mode, generation=2, epoch=2), stream(ORDERS, mode)
        expected = () if fence == 3 else (checkpoint(1, generation=2, epoch=2),)
        with Attempt(warehouse, *setups, fence=fence, expected=expected) as attempt:
            attempt.write(people(*names, updated_at=at(fence)))
            attempt.state(fence - 2, generation=2, epoch=2)
            attempt.write(people(4, 4, updated_at=at(2)), ORDERS)
            attempt.finish()
    assert ids(warehouse) == ([1, 2, 2, 3] if mode == "append" else [1, 2, 3])
    assert ids(warehouse, ORDERS) == ([1, 2, 3, 4, 4] if mode == "append" else [1, 2, 3, 4])


def test_a_clear_that_ends_too_early_leaves_all_rows_and_can_be_done_again(warehouse: Warehouse) -> None:
    loaded(warehouse, "append")
    tables = warehouse.tables()
    with clearing(warehouse, 2, fence=2) as attempt:
        attempt.finish(frozenset())
    with clearing(warehouse, 2, fence=3) as attempt:
        attempt.flush()  # and is killed
    assert ids(warehouse) == [1, 2, 3]
    for fence in (4, 5):  # the first of these dies right after its swap
        with clearing(warehouse, 2, fence=fence) as attempt:
            attempt.finish()
        assert ids(warehouse) == []
    with clearing(warehouse, 3, fence=6) as attempt:
        attempt.finish()
    assert ids(warehouse) == []
    assert warehouse.tables() == tables


@pytest.mark.parametrize(("mode", "covered"), [("append", False), ("append", True), ("append_dedup", False)])
def test_a_replacement_that_failed_is_made_by_the_next_sync(warehouse: Warehouse, mode: str, covered: bool) -> None:
    """That one is told the same generation, and that older ones are to go."""
    loaded(warehouse, mode)
    setup = truncating(mode=mode)
    with Attempt(warehouse, setup, fence=2) as attempt:
        attempt.write(people(4, 5, updated_at=at(2)))
        if covered:
            attempt.state(1, generation=2, epoch=2)
        attempt.finish(frozenset())
    assert ids(warehouse) == [1, 2, 3]
    with Attempt(warehouse, setup, fence=3) as attempt:
        attempt.write(people(6 if covered else 4, 7, updated_at=at(3)))
        attempt.state(2, generation=2, epoch=2)
        attempt.finish()
    assert ids(warehouse) == [4, 5, 6, 7]


@pytest.mark.parametrize("mode", MODES)
def test_a_merging_refresh_keeps_the_rows_that_are_there(warehouse: Warehouse, mode: str) -> None:
    loaded(warehouse, mode)
    with Attempt(warehouse, stream(mode=mode, generation=2, epoch=2), fence=2) as attempt:
        attempt.write(people(3, 4, updated_at=at(2)))
        attempt.state(1, generation=2, epoch=2)
        attempt.finish()
    assert ids(warehouse) == ([1, 2, 3, 3, 4] if mode == "append" else [1, 2, 3, 4])
    generations = sorted(set(warehouse.rows(USERS, "_airbyte_generation_id")))
    assert generations == [(1,), (2,)]


# One row per primary key


def deduped(**changes: Any) -> StreamSetup:
    return stream(mode="append_dedup", **changes)


def at(second: int) -> str:
    return f"2024-01-01T00:00:{second:02}Z"


def test_the_newest_row_by_cursor_stays(warehouse: Warehouse) -> None:
    with Attempt(warehouse, deduped()) as attempt:
        attempt.write([{"id": 1, "name": "new", "updated_at": at(5)}, {"id": 1, "name": "old", "updated_at": at(1)}])
        attempt.write([{"id": 2, "name": "null"}, {"id": 2, "name": "dated", "updated_at": at(1)}])
        assert attempt.finish() == {USERS: 4}
    assert warehouse.rows(USERS, "id", "name") == [(1, "new"), (2, "dated")]


def test_newer_rows_replace_those_of_earlier_commits_and_older_ones_do_not(warehouse: Warehouse) -> None:
    with Attempt(warehouse, deduped(), commit_interval=0.0) as attempt:
        attempt.write([{"id": number, "name": "first", "updated_at": at(5)} for number in (1, 2, 3)])
        attempt.state(1)
        attempt.write(
            [{"id": 1, "name": "newer", "updated_at": at(6)}, {"id": 2, "name": "older", "updated_at": at(4)}]
        )
        attempt.state(2)
        attempt.write([{"id": 3, "name": "same", "updated_at": at(5)}], at=2000)
        attempt.finish()
    assert warehouse.rows(USERS, "id", "name") == [(1, "newer"), (2, "first"), (3, "same")]


@pytest.mark.parametrize(
    "kind",
    [{"type": ["integer", "string"]}, {"type": "string", "airbyte_type": "big_integer"}],
    ids=["union", "big integer"],
)
@pytest.mark.parametrize("path", [("c",), ("n", "c")], ids=["plain", "nested"])
def test_a_cursor_whose_numbers_are_kept_as_texts_is_in_the_order_of_numbers(
    warehouse: Warehouse, kind: dict[str, Any], path: tuple[str, ...]
) -> None:
    schema = {"properties": {"id": {"type": "integer"}, "name": {"type": "string"}, "c": kind, "n": {"type": "object"}}}
    schema["properties"]["n"]["properties"] = {"c": kind}
    text = kind["type"] == "string"
    with Attempt(warehouse, deduped(json_schema=schema, cursor=path), commit_interval=0.0) as attempt:
        for number, cursor in enumerate([9, 10, 8, 100], 1):
            value = str(cursor) if text else cursor
            attempt.write([{"id": 1, "name": f"at {cursor}", "c": value, "n": {"c": value}}])
            if number % 2 == 0:
                attempt.state(number)
        attempt.finish()
    assert warehouse.rows(USERS, "name") == [("at 100",)]


def test_with_equal_cursors_the_one_extracted_last_and_then_the_one_that_came_last_stays(warehouse: Warehouse) -> None:
    with Attempt(warehouse, deduped()) as attempt:
        attempt.write([{"id": 1, "name": "late", "updated_at": at(5)}], at=3000)
        attempt.write([{"id": 1, "name": "early", "updated_at": at(5)}], at=2000)
        attempt.write([{"id": 2, "name": "one"}, {"id": 2, "name": "two"}])
        attempt.finish()
    assert warehouse.rows(USERS, "id", "name") == [(1, "late"), (2, "two")]


def test_missing_keys_are_equal(warehouse: Warehouse) -> None:
    with Attempt(warehouse, deduped(), commit_interval=0.0) as attempt:
        attempt.write([{"name": "a", "updated_at": at(1)}])
        attempt.state(1)
        attempt.write([{"name": "b", "updated_at": at(2)}])
        attempt.finish()
    assert warehouse.rows(USERS, "id", "name") == [(None, "b")]


def test_composite_and_nested_keys_and_cursors(warehouse: Warehouse) -> None:
    setup = deduped(primary_key=(("id",), ("nested", "key")), cursor=("nested", "rank"))
    with Attempt(warehouse, setup) as attempt:
        for key, rank, name in [("x", 9, "old"), ("x", 10, "new"), ("y", 1, "other")]:
            attempt.write([{"id": 1, "name": name, "nested": {"key": key, "rank": rank}}])
        attempt.finish()
    assert [row[0] for row in warehouse.rows(USERS, "name")] == ["new", "other"]


@pytest.mark.parametrize("name", ['qu"ote', "späce", "back\\slash", "dotted.name", "a'b", "{0}"])
@pytest.mark.parametrize("kind", ["string", "integer"])
def test_a_nested_key_may_have_any_name(warehouse: Warehouse, name: str, kind: str) -> None:
    deeper = {"type": "object", "properties": {name: {"type": kind}}}
    nested = {"type": "object", "properties": {name: deeper}}
    setup = deduped(json_schema={"properties": {"id": {"type": "integer"}, "n": nested}}, cursor=())
    with Attempt(warehouse, replace(setup, primary_key=(("n", name, name),)), commit_interval=0.0) as attempt:
        values = [1, 2] if kind == "integer" else ["1", "2"]
        for number in (1, 2):
            attempt.write([{"id": 10 * number + at, "n": {name: {name: value}}} for at, value in enumerate(values)])
            attempt.state(number)
        attempt.write([{"id": 31, "n": {name: "no object"}}, {"id": 32, "n": {name: {name: None}}}, {"id": 33}])
        attempt.finish()
    assert ids(warehouse) == [20, 21, 33]


NESTED = {"properties": {"key": {"type": "integer"}, "when": {"type": "string", "format": "date-time"}}}


def test_nested_values_are_compared_as_what_they_are(warehouse: Warehouse) -> None:
    setup = deduped(json_schema={"properties": {"id": {"type": "integer"}, "n": NESTED}}, cursor=("n", "when"))
    with Attempt(warehouse, replace(setup, primary_key=(("n", "key"),)), commit_interval=0.0) as attempt:
        for number, when in enumerate(["10:00:00.000200Z", "11:00:00.000300+01:00", "10:00:00.000100"], 1):
            attempt.write([{"id": number, "n": {"key": 1, "when": f"2024-01-01T{when}"}}])
            attempt.state(number)
        attempt.write([{"id": 10 + key, "n": {"key": str(key)}} for key in (1, 2, 3)])
        attempt.finish()
    assert ids(warehouse) == [2, 12, 13]


def test_a_nested_key_in_a_column_that_was_a_text_before_is_refused(warehouse: Warehouse) -> None:
    setup = deduped(json_schema={"properties": {"n": {"type": "string"}}}, cursor=(), primary_key=(("n",),))
    with Attempt(warehouse, setup) as attempt:
        attempt.write([{"n": "hello"}])
        attempt.finish()
    setup = replace(setup, json_schema={"properties": {"n": {"type": "object", **NESTED}}}, primary_key=(("n", "key"),))
    with pytest.raises(ConnectorError, match=r"n\.key") as caught, Attempt(warehouse, setup, fence=2):
        pass
    assert "content refresh" in str(caught.value.hint)


def test_a_key_that_would_be_rounded_to_that_of_another_row_is_refused(warehouse: Warehouse) -> None:
    setup = deduped(json_schema={"properties": {"id": {"type": "number"}}}, cursor=())
    with Attempt(warehouse, setup, commit_interval=0.0) as attempt:
        attempt.write([{"id": 2**53}, {"id": 2**53 - 1}])
        attempt.state(1)
    with Attempt(warehouse, setup, fence=2, commit_interval=0.0) as attempt:
        refused = pytest.raises(ConnectorError, match="id: rows with different keys")
        with nullcontext() if keeps_digits(warehouse) else refused:
            attempt.write([{"id": 2**53 + 1}])
            attempt.state(2)
            attempt.finish()
    assert ids(warehouse) == [2**53 - 1, 2**53, *([2**53 + 1] if keeps_digits(warehouse) else [])]


def test_a_deletion_takes_the_row_out_unless_it_is_older(warehouse: Warehouse) -> None:
    schema = {"properties": {**SCHEMA["properties"], "_ab_cdc_deleted_at": {"type": "string"}}}  # type: ignore[dict-item]
    with Attempt(warehouse, deduped(json_schema=schema), commit_interval=0.0) as attempt:
        attempt.write([{"id": number, "updated_at": at(5)} for number in (1, 2, 3)])
        attempt.state(1)
        attempt.write([{"id": 1, "updated_at": at(6), "_ab_cdc_deleted_at": at(6)}])
        attempt.write([{"id": 2, "updated_at": at(4), "_ab_cdc_deleted_at": at(4)}])
        attempt.finish()
    assert ids(warehouse) == [2, 3]


CDC = {"properties": {**SCHEMA["properties"], "_ab_cdc_deleted_at": {"type": "string"}}}  # type: ignore[dict-item]


def changes_of(seed: int, commits: int = 6, each: int = 25) -> list[list[dict[str, Any]]]:
    """What a database's log may bring: inserts, updates and deletions of few keys, some late, some without a cursor."""
    dice, found = random.Random(seed), []
    for _ in range(commits):
        found.append([])
        for _ in range(each):
            second = dice.choice([None, *range(1, 9)])
            row = {"id": dice.randint(1, 8), "name": f"n{dice.randint(0, 999)}"}
            row |= {"updated_at": at(second)} if second else {}
            found[-1].append(row | ({"_ab_cdc_deleted_at": at(1)} if dice.random() < 0.3 else {}))
    return found


def left(commits: list[list[dict[str, Any]]]) -> list[tuple[int, str]]:
    """What they come to: of each key the newest counts, of equal ones the last; NULL is older than any moment.

    A deletion is forgotten with its commit, as in Airbyte's own destinations: what is older and comes later stays.
    """
    table: dict[int, dict[str, Any]] = {}
    for commit in commits:
        for row in commit:
            there = table.get(row["id"])
            if there is None or row.get("updated_at", "") >= there.get("updated_at", ""):
                table[row["id"]] = row
        table = {key: row for key, row in table.items() if "_ab_cdc_deleted_at" not in row}
    return sorted((key, row["name"]) for key, row in table.items())


@pytest.mark.parametrize("truncates", [False, True])
def test_a_log_of_changes_comes_to_the_rows_of_its_source(warehouse: Warehouse, truncates: bool) -> None:
    """Incrementally each commit is merged; a table that is replaced is looked at as a whole, at its end."""
    for seed in (1, 2):
        commits, generation = changes_of(seed), 10 * seed
        setup = deduped(json_schema=CDC, generation=generation, epoch=generation)
        with Attempt(warehouse, truncating(generation), fence=2 * seed) as attempt:
            attempt.finish()  # an empty table to begin with
        if truncates:
            generation += 1
            setup = truncating(generation, "append_dedup", json_schema=CDC)
        with Attempt(warehouse, setup, fence=2 * seed + 1, commit_interval=0.0) as attempt:
            for number, rows in enumerate(commits, 1):
                attempt.write(rows)
                attempt.state(number, generation=generation, epoch=generation)
            attempt.finish()
        expected = left([[row for commit in commits for row in commit]] if truncates else commits)
        assert (seed, warehouse.rows(USERS, "id", "name")) == (seed, expected)


def test_a_row_that_was_deleted_may_come_again(warehouse: Warehouse) -> None:
    with Attempt(warehouse, deduped(json_schema=CDC), commit_interval=0.0) as attempt:
        attempt.write([{"id": number, "name": "first", "updated_at": at(1)} for number in (1, 2)])
        attempt.state(1)
        attempt.write([{"id": number, "updated_at": at(2), "_ab_cdc_deleted_at": at(2)} for number in (1, 2)])
        attempt.write([{"id": 1, "name": "again", "updated_at": at(3)}])
        attempt.state(2)
        attempt.write([{"id": 2, "name": "again", "updated_at": at(3)}])
        assert attempt.finish() == {USERS: 6}
    assert warehouse.rows(USERS, "id", "name") == [(1, "again"), (2, "again")]


def test_a_replaced_table_is_deduplicated_too(warehouse: Warehouse) -> None:
    filled(warehouse)
    with Attempt(warehouse, truncating(mode="append_dedup"), fence=2, commit_interval=0.0) as attempt:
        attempt.write([{"id": 1, "name": "old", "updated_at": at(1)}, {"id": 2, "name": "b"}])
        attempt.state(1, generation=2, epoch=2)
        attempt.write([{"id": 1, "name": "new", "updated_at": at(2)}])
        assert attempt.finish() == {USERS: 3}
    assert warehouse.rows(USERS, "id", "name") == [(1, "new"), (2, "b")]


@pytest.mark.parametrize("field", ["rowid", "ROWID", "_rowid_", "oid", "ctid", "xmin", "tableoid"])
def test_a_field_with_the_name_of_a_databases_own_column_costs_no_row(warehouse: Warehouse, field: str) -> None:
    schema = {"properties": {**SCHEMA["properties"], field: {"type": "integer"}}}  # type: ignore[dict-item]
    with Attempt(warehouse, deduped(json_schema=schema)) as attempt:
        for second in (1, 2):
            attempt.write([{"id": number, "updated_at": at(second), field: 7} for number in (1, 2, 1)])
            attempt.state(second)
            attempt.flush()
        attempt.finish()
    assert ids(warehouse) == [1, 2]


@pytest.mark.parametrize("key", [(), (("nope",),), (("nope", "deeper"),)])
def test_a_key_that_the_stream_does_not_have_is_a_mistake_in_the_configuration(
    warehouse: Warehouse, key: tuple[tuple[str, ...], ...]
) -> None:
    with pytest.raises(ConnectorError) as caught:
        Attempt(warehouse, deduped(primary_key=key)).__enter__()
    assert caught.value.failure_type == "config_error"


# Values


def test_a_value_that_does_not_fit_becomes_null_and_is_noted(warehouse: Warehouse) -> None:
    with Attempt(warehouse) as attempt:
        attempt.write([{"id": "many", "name": 5}, {"id": 2.0, "name": {"a": [1]}}, {"id": 3}])
        attempt.finish()
    rows = warehouse.rows(USERS, "id", "name", "_airbyte_meta")
    noted = {row[1]: json.loads(row[2])["changes"] for row in rows}
    assert [row[:2] for row in rows] == [(2, '{"a": [1]}'), (3, None), (None, "5")]
    assert noted["5"] == [{"field": "id", "change": "NULLED", "reason": "DESTINATION_TYPECAST_ERROR"}]
    assert noted[None] == []


FORMATS: dict[str, dict[str, Any]] = {
    "string": {"type": "string"},
    "boolean": {"type": "boolean"},
    "integer": {"type": "integer"},
    "number": {"type": "number"},
    "date": {"type": "string", "format": "date"},
    "moment": {"type": "string", "format": "date-time"},
    "local": {"type": "string", "format": "date-time", "airbyte_type": "timestamp_without_timezone"},
    "timetz": {"type": "string", "format": "time"},
    "time": {"type": "string", "format": "time", "airbyte_type": "time_without_timezone"},
    "json": {"oneOf": [{"type": "object"}, {"type": "array"}]},
}
CAST, SIZE = "NULLED DESTINATION_TYPECAST_ERROR", "NULLED DESTINATION_FIELD_SIZE_LIMITATION"
ROUNDED = "TRUNCATED DESTINATION_FIELD_SIZE_LIMITATION"
# Type, JSON, how it is read, and what is noted. Under `exact` and `nul` stands what differs by the warehouse.
EDGES: list[tuple[str, str, str | None, str | None]] = [
    ("string", r'"tab\tline\nreturn\r \\N \" \\"', 'tab\tline\nreturn\r \\N " \\', None),
    ("string", '""', "", None),
    ("string", "123456789012345678901234567890.5", "123456789012345678901234567890.5", None),
    ("string", r'"\ud83d\ude00 \ud800"', "\U0001f600 \ufffd", None),
    ("boolean", "false", "false", None),
    ("boolean", "1", None, CAST),
    ("integer", "9223372036854775807", "9223372036854775807", None),
    ("integer", "-9223372036854775808", "-9223372036854775808", None),
    ("integer", "9223372036854775808", None, SIZE),
    ("integer", "9" * 39, None, SIZE),
    ("integer", "1e30", None, SIZE),
    ("integer", "3.5", None, CAST),
    ("integer", "NaN", None, CAST),
    ("number", "9007199254740992", "9007199254740992", None),
    ("number", "-Infinity", None, CAST),
    ("number", "NaN", None, CAST),
    ("number", '"1.50"', "1.5", None),
    ("date", '"0001-01-01"', "0001-01-01", None),
    ("date", '"9999-12-31"', "9999-12-31", None),
    ("date", '"0044-03-15 BC"', None, CAST),
    ("date", '"0044-03-15T00:00:00Z BC"', None, CAST),
    ("date", '"99999-12-31"', None, SIZE),
    ("date", '"2023-02-29"', None, CAST),
    ("moment", '"2024-02-29T12:34:56.123456789+05:45"', "2024-02-29T06:49:56.123456", None),
    ("moment", '"2024-02-29 12:34:56 -0330"', "2024-02-29T16:04:56", None),
    ("moment", '"2024-02-29T12:34:56"', "2024-02-29T12:34:56", None),
    ("moment", '"0044-03-15T00:00:00Z BC"', None, CAST),
    ("moment", '"99999-12-31T00:00:00Z"', None, SIZE),
    ("moment", "1709210096", None, CAST),
    ("local", '"2024-02-29T12:34:56.5+02:00"', "2024-02-29T12:34:56.5", None),
    ("local", '"0044-03-15T00:00:00 BC"', None, CAST),
    ("local", '"2024-02-29T01:34:56 PM"', None, CAST),
    ("timetz", '"12:34:56.5+05:45"', "12:34:56.5+05:45", None),
    ("timetz", '"12:34Z"', "12:34:00", None),
    ("timetz", '"25:00:00Z"', None, CAST),
    ("time", '"12:34:56.123456789"', "12:34:56.123456", None),
    ("time", '"12:34:56+02:00"', None, CAST),
    ("json", r'{"a": [1, {"b\"": null}], "c": "\\u0000"}', r'{"a": [1, {"b\"": null}], "c": "\\u0000"}', None),
    ("json", '"text"', '"text"', None),
    ("json", "12345678901234567890", "12345678901234567890", None),
    ("json", "NaN", None, CAST),
]
BEYOND_FLOATS = [
    ("9007199254740993", "9007199254740992"),
    ("-9007199254740993.0", "-9007199254740992"),
    ("12345678901234567890", "12345678901234567000"),
]


def edges(warehouse: Warehouse) -> list[tuple[str, str, str | None, str | None]]:
    """The cases, with what depends on the warehouse."""
    every, nul = keeps_digits(warehouse), getattr(warehouse, "nul", True)
    numbers = [("number", text, text if every else near, None if every else ROUNDED) for text, near in BEYOND_FLOATS]
    stripped = None if nul else "TRUNCATED DESTINATION_SERIALIZATION_ERROR"
    texts = [
        ("string", r'"x\u0000y"', "x\0y" if nul else "xy", stripped),
        ("json", r'["\u0000", "\\\\\u0000"]', r'["\u0000", "\\\\\u0000"]' if nul else r'["", "\\\\"]', stripped),
    ]
    return [*EDGES, *numbers, *texts, ("number", "1e400", "1e400" if every else None, None if every else SIZE)]


def read_as(kind: str, got: Any, expected: str | None) -> bool:
    """Whether a column of this type shows what is expected, in whatever form the database has it."""
    if expected is None or got is None:
        return expected is got
    if kind == "json":
        wanted = json.loads(expected)
        return bool(got == wanted or (isinstance(got, str) and json.loads(got) == wanted))
    if kind == "boolean":
        return str(bool(got)).lower() == expected
    if kind in ("integer", "number"):
        return Decimal(str(got)) == Decimal(expected)
    if kind == "string":
        return bool(got == expected)
    text = str(got).replace(" ", "T")
    for zone in ("+00:00", "+00", "Z"):
        text = text.removesuffix(zone)
    return bool(re.sub(r"\.0+(?=$|[+-])|(\.\d*[1-9])0+(?=$|[+-])", r"\1", text) == expected)


def test_values_at_the_edge_of_their_type_are_kept_or_given_up_with_a_reason(warehouse: Warehouse) -> None:
    cases = edges(warehouse)
    schema = {"properties": {"id": {"type": "integer"}, **FORMATS}}
    texts = [f'{{"id": {number}, "{case[0]}": {case[1]}}}'.encode() for number, case in enumerate(cases)]
    with Attempt(warehouse, stream(json_schema=schema)) as attempt:
        attempt.destination.write(Chunk(USERS, [Record("users", Raw(text), 1000) for text in texts], [], 9999))
        attempt.finish()
    found = {row[0]: row for row in warehouse.rows(USERS, "id", "_airbyte_meta", *FORMATS)}
    columns = list(FORMATS)
    wrong = []
    for number, (kind, text, expected, noted) in enumerate(cases):
        _, meta, *values = found[number]
        got = values[columns.index(kind)]
        changes = [f"{change['change']} {change['reason']}" for change in noted_in(meta)]
        if not read_as(kind, got, expected) or changes != ([noted] if noted else []):
            wrong.append((kind, text, got, changes))
    assert wrong == []


def noted_in(meta: Any) -> list[dict[str, str]]:
    """The changes of a row's `_airbyte_meta`."""
    listed = (json.loads(meta) if isinstance(meta, str) else meta)["changes"]
    return [json.loads(change) if isinstance(change, str) else change for change in listed]


def test_of_a_record_with_a_bottomless_field_the_others_stay(warehouse: Warehouse) -> None:
    deep = b"[" * 100_000 + b"]" * 100_000
    texts = [b'{"id": 1, "nested": ' + deep + b', "name": "[{"}', b'{"id": 2, "nested": {"key": "x"}}']
    with Attempt(warehouse) as attempt:
        attempt.destination.write(Chunk(USERS, [Record("users", Raw(text), 1) for text in texts], [], len(deep)))
        attempt.finish()
    rows = warehouse.rows(USERS, "id", "name", "nested", "_airbyte_meta")
    assert [row[:2] for row in rows] == [(1, "[{"), (2, None)]
    assert [row[2] is None for row in rows] == [True, False]
    assert [[change["field"] for change in noted_in(row[3])] for row in rows] == [["nested"], []]


def test_changes_that_the_source_noted_are_kept(warehouse: Warehouse) -> None:
    change = {"field": "name", "change": "TRUNCATED", "reason": "SOURCE_FIELD_SIZE_LIMITATION"}
    meta = Raw(json.dumps({"changes": [change]}).encode())
    records = [Record("users", Raw(b'{"id": 1}'), 1, None, meta), Record("users", Raw(b'{"id": "x"}'), 1, None, meta)]
    with Attempt(warehouse) as attempt:
        attempt.destination.write(Chunk(USERS, records, [], 20))
        attempt.finish()
    found = [json.loads(row[0])["changes"] for row in warehouse.rows(USERS, "_airbyte_meta")]
    assert sorted(len(changes) for changes in found) == [1, 2]
    assert all(changes[0] == change for changes in found)


@pytest.mark.parametrize(
    "name", ['qu"ote', "semi;colon", "dotted.name", "späce ünïcode 表", "select", "n" * 200, "a'b"]
)
def test_any_name_can_be_a_table_a_namespace_and_a_column(warehouse: Warehouse, name: str) -> None:
    odd = StreamDescriptor(name, name)
    setup = stream(odd, "append_dedup", json_schema={"properties": {name: {"type": "string"}}}, primary_key=((name,),))
    with Attempt(warehouse, replace(setup, cursor=())) as attempt:
        attempt.write([{name: "x"}, {name: "x"}], odd)
        attempt.finish(frozenset([odd]))
    assert warehouse.rows(odd, name) == [("x",)]


# The table's shape changes


def test_new_fields_get_columns_and_fields_that_went_keep_theirs(warehouse: Warehouse) -> None:
    with Attempt(warehouse) as attempt:
        attempt.write(people(1, 1))
        attempt.finish()
    schema = {"properties": {"id": {"type": "integer"}, "extra": {"type": "boolean"}}}
    with Attempt(warehouse, stream(json_schema=schema), fence=2) as attempt:
        attempt.write([{"id": 2, "extra": True, "name": "ignored"}])
        attempt.finish()
    assert warehouse.rows(USERS, "id", "name", "extra") == [(1, "n1", None), (2, None, True)]


def test_a_field_keeps_its_column_when_one_comes_that_differs_in_case_alone(warehouse: Warehouse) -> None:
    upper = {"type": "object", "properties": {"KEY": {"type": "string"}}}
    both = {"type": "object", "properties": {"key": {"type": "string"}, **upper["properties"]}}
    with Attempt(warehouse, stream(json_schema=upper)) as attempt:
        attempt.write([{"KEY": "a"}])
        attempt.finish()
    for fence in (2, 3):
        with Attempt(warehouse, stream(json_schema=both), fence=fence) as attempt:
            attempt.write([{"key": "-", "KEY": "b"}])
            attempt.finish()
    assert warehouse.rows(USERS, "KEY") == [("a",), ("b",), ("b",)]


@pytest.mark.parametrize(("kind", "after"), [("string", "2"), ("number", 2.0)])
def test_a_type_that_holds_the_old_values_replaces_the_narrower_one(
    warehouse: Warehouse, kind: str, after: Any
) -> None:
    with Attempt(warehouse) as attempt:
        attempt.write(people(1, 1))
        attempt.finish()
    with Attempt(warehouse, stream(json_schema={"properties": {"id": {"type": kind}}}), fence=2) as attempt:
        attempt.write([{"id": after}])
        attempt.finish()
    assert warehouse.rows(USERS, "id") == [(type(after)(1),), (after,)]


def test_a_column_of_numbers_takes_whole_ones_however_large(warehouse: Warehouse) -> None:
    for fence, (kind, value) in enumerate([("number", 0.5), ("integer", 2**53 + 1)], 1):
        schema = {"properties": {"id": {"type": kind}}}
        with Attempt(warehouse, stream(json_schema=schema), fence=fence) as attempt:
            attempt.write([{"id": value}])
            assert attempt.finish() == {USERS: 1}
    rows = warehouse.rows(USERS, "id", "_airbyte_meta")
    assert [row[0] for row in rows] == [0.5, pytest.approx(2**53)]
    exact = rows[1][0] == 2**53 + 1 and not isinstance(rows[1][0], float)
    noted = [f"{change['change']} {change['reason']}" for change in noted_in(rows[1][1])]
    assert noted == ([] if exact else [ROUNDED])


TEXT, WHEN = 'a "quoted"\n text, é', "2024-02-29T12:34:56.123456"
# Type -> its schema, a value of before and one of after a change.
TYPES: dict[str, tuple[dict[str, Any], Any, Any]] = {
    "boolean": ({"type": "boolean"}, True, False),
    "integer": ({"type": "integer"}, 2**53 + 1, 7),  # more than a floating number can hold
    "number": ({"type": "number"}, 0.1 + 0.2, 1.5),
    "date": ({"type": "string", "format": "date"}, "2024-02-29", "2025-12-31"),
    "moment": ({"type": "string", "format": "date-time"}, f"{WHEN}Z", "2025-01-01T00:00:00Z"),
    "time": ({"type": "string", "format": "time", "airbyte_type": "time_without_timezone"}, "12:34:56.5", "01:02:03"),
    "string": ({"type": "string"}, TEXT, "7"),
    "object": ({"type": "object"}, {"a": [1, "x"]}, {}),
}


def same(kind: str, value: Any, got: Any) -> bool:
    """Whether a column of whatever type shows a value of this type, nothing lost and nothing added."""
    if isinstance(got, str) and got.startswith('"') and got.endswith('"'):
        got = json.loads(got)
    if kind == "boolean":
        return str(got).lower() in (str(value).lower(), str(int(value)))
    if kind == "integer":
        return str(got) in (str(value), f"{value}.0")
    if kind == "number":
        return float(got) == value
    if kind == "object":
        return bool((json.loads(got) if isinstance(got, str) else got) == value)
    text = str(got).replace(" ", "T") if kind in ("date", "moment") else str(got)
    return text.startswith(value.rstrip("Z") if kind == "moment" else value)


def test_a_change_of_type_costs_no_value_whichever_it_is(warehouse: Warehouse) -> None:
    pairs = [(before, after) for before in TYPES for after in TYPES]
    for fence, (at, of) in enumerate([(1, 0), (2, 1), (2, 0)], 1):
        properties = {f"{pair[0]}_{pair[1]}": TYPES[pair[of]][0] for pair in pairs}
        row = {f"{pair[0]}_{pair[1]}": TYPES[pair[of]][at] for pair in pairs}
        schema = {"properties": {"id": {"type": "integer"}, **properties}}
        with Attempt(warehouse, stream(json_schema=schema), fence=fence) as attempt:
            attempt.write([{"id": fence, **row}])
            attempt.finish()
    names = [f"{before}_{after}" for before, after in pairs]
    rows = warehouse.rows(USERS, "id", *names)
    wrong = [
        (kind, after, row[0], got)
        for row in rows
        for (before, after), got in zip(pairs, row[1:], strict=True)
        for kind, place in [(before, 1) if row[0] == 1 else (after, 2) if row[0] == 2 else (before, 2)]
        if not same(kind, TYPES[kind][place], got)
    ]
    assert wrong == []
    noted = [json.loads(row[0])["changes"] for row in warehouse.rows(USERS, "_airbyte_meta")]
    assert noted == [[], [], []]


def test_rows_are_still_told_apart_by_a_key_whose_type_has_changed(warehouse: Warehouse) -> None:
    for fence, (kind, key) in enumerate([("integer", 1), ("string", "1"), ("string", "one")], 1):
        schema = {"properties": {**SCHEMA["properties"], "id": {"type": kind}}}  # type: ignore[dict-item]
        with Attempt(warehouse, deduped(json_schema=schema), fence=fence) as attempt:
            attempt.write([{"id": key, "name": f"n{fence}", "updated_at": at(fence)}])
            attempt.state(fence)
            attempt.finish()
    assert warehouse.rows(USERS, "id", "name") == [("1", "n2"), ("one", "n3")]


def test_two_streams_never_share_a_table(warehouse: Warehouse) -> None:
    with pytest.raises(ConnectorError, match="would share the"):
        Attempt(warehouse, stream(), stream(ORDERS, name="users", namespace=None)).__enter__()


# Names that a database or a file system may take for one another, or cannot have at all.
ALIKE = [
    ("users", None),
    ("USERS", None),
    ("Users", None),
    ("us ers", None),
    ("us_ers", None),
    ("us.ers", None),
    ("us/ers", None),
    ("orders", "shop"),
    ("orders", "SHOP"),
    ("Orders", "shop"),
    ("orders", "sh-op"),
    ("orders", "sh op"),
    ("shop", None),
    ("n" * 300, None),
    ("n" * 301, None),
    ("é", None),
    ("e", None),
    ("e\u0301", None),
    ("", None),
    (" ", None),
    (".", None),
    ("..", None),
    ("../up", None),
    ("dots..", None),
    ("dots", None),
    ("_", None),
    ("a\0b", "n\0s"),
    ("a_b", "n_s"),
    ("😀", None),
    ("🚀", "😀"),
    ("con", None),
    ("table", "select"),
    ("rowid", None),
]


@pytest.mark.slow
def test_streams_whose_names_are_alike_have_tables_of_their_own_for_ever(warehouse: Warehouse) -> None:
    names = [names for names in ALIKE if "\0" not in names[0] or getattr(warehouse, "nul", True)]
    streams = [StreamDescriptor(*each) for each in names]
    known: dict[int, str] = {}
    for fence in range(1, 4):
        # One after the other at first, then all of them in another order.
        groups = [streams[:6], streams[6:]] if fence == 1 else [streams[:: -1 if fence == 2 else 1]]
        for number, group in enumerate(groups):
            mode = {"minimum_generation": fence, "generation": fence} if fence == 3 else {}
            with Attempt(warehouse, *(stream(of, **mode) for of in group), fence=10 * fence + number) as attempt:
                for of in group:
                    attempt.write([{"id": streams.index(of)}], of)
                    attempt.state(fence, of, generation=mode.get("generation", 1))
                attempt.finish(frozenset(group))
        held = warehouse.held()
        assert sorted(sorted(set(ids)) for ids in held.values()) == [[number] for number in range(len(streams))]
        found = {ids[0]: table for table, ids in held.items()}
        assert known in ({}, found)
        known = found


@pytest.mark.slow
def test_fields_whose_names_are_alike_have_columns_of_their_own_for_ever(warehouse: Warehouse) -> None:
    fields = ["x y", "x_y", "X_Y", "x.y", "é", "e", "n" * 300, "n" * 301, "", " ", "a\0b", "😀", "rowid", "table"]
    steps = [fields[1:3], fields[:3], fields, fields[:1], fields[2:3], fields[::-1]]
    for fence, names in enumerate(steps, 1):
        schema = {"properties": {name: {"type": "string"} for name in names}}
        with Attempt(warehouse, stream(json_schema=schema), fence=fence) as attempt:
            attempt.write([{name: name.replace("\0", "-") or "empty" for name in names}])
            attempt.finish()
    seen = [set(column) - {None} for column in warehouse.columns(USERS)]
    assert sorted(map(sorted, seen)) == sorted([name.replace("\0", "-") or "empty"] for name in fields)


# The end


def test_closing_without_finishing_leaves_what_was_committed(warehouse: Warehouse) -> None:
    with Attempt(warehouse) as attempt:
        attempt.write(people(1, 1))
        attempt.state(1)
        attempt.flush()
        attempt.write(people(2, 2))
        attempt.state(2)
    assert ids(warehouse) == [1]
    assert len(attempt.returned) == 1


def test_closing_one_that_was_never_opened_is_no_error(warehouse: Warehouse) -> None:
    destination = warehouse.destination()
    destination.close()
    destination.close()


def exactly_once(run: Callable[[int], int], warehouse: Warehouse, count: int) -> None:
    """Run attempts (each gets its fence, and returns its exit code) until one succeeds: every record is there once."""
    codes = [run(1)]
    while codes[-1] != 0:
        assert len(codes) < 9, codes
        codes.append(run(len(codes) + 1))
    assert len(codes) > 1, "the first attempt was to die"
    assert ids(warehouse) == list(range(count))
