"""States under any order of checkpoints, new generations, resets and replacements: who is late is refused (rule 4)."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from store_acceptance import add_connection

from resource_airbyte.engine.store import Database, states
from resource_airbyte.engine.store.states import StateKey, StreamState

KEYS = (StateKey("stream", None, "a"), StateKey("stream", "n", "a"), StateKey("global", None, ""))
KEY = st.sampled_from(KEYS)


class States(RuleBasedStateMachine):
    """`now` is what must be there: generation, epoch, sequence and state of each key. `seen` are positions that an
    attempt may still believe in.
    """

    db: Database

    @initialize()
    def begin(self) -> None:
        self.connection = add_connection(self.db)
        with self.db.begin() as tx:
            states.ensure(tx, self.connection, KEYS)
        self.now: dict[StateKey, tuple[int, int, int, str | None]] = dict.fromkeys(KEYS, (0, 0, 0, None))
        self.seen = [(0, 0)]
        self.written = 0

    @rule(key=KEY, believed=st.integers(0, 9), step=st.integers(-2, 3))
    def checkpoint(self, key: StateKey, believed: int, step: int) -> None:
        """By the attempt of now, or by one that was given up."""
        generation, epoch = self.seen[-1 - believed % len(self.seen)]
        current, sequence = self.now[key], self.now[key][2] + step
        self.written += 1
        with self.db.begin() as tx:
            taken = states.save(
                tx,
                self.connection,
                key,
                generation=generation,
                epoch=epoch,
                sequence=sequence,
                state=str(self.written),
            )
        assert taken == ((generation, epoch) == current[:2] and step > 0)
        if taken:
            self.now[key] = (generation, epoch, sequence, str(self.written))

    @rule(key=KEY, replaces=st.booleans())
    def new_generation(self, key: StateKey, replaces: bool) -> None:
        with self.db.begin() as tx:
            states.begin_generation(tx, self.connection, key, replaces=replaces)
        generation, epoch, *_ = self.now[key]
        self._becomes(key, generation + 1, epoch + 1, None)

    @rule(key=KEY, known=st.booleans())
    def reset(self, key: StateKey, known: bool) -> None:
        self.written += 1
        state = str(self.written) if known else None
        with self.db.begin() as tx:
            states.reset(tx, self.connection, key, state)
        generation, epoch, *_ = self.now[key]
        self._becomes(key, generation, epoch + 1, state)

    @rule(chosen=st.sets(KEY))
    def replace(self, chosen: set[StateKey]) -> None:
        self.written += 1
        with self.db.begin() as tx:
            states.replace(tx, self.connection, dict.fromkeys(chosen, str(self.written)))
        for key, (generation, epoch, *_) in list(self.now.items()):
            self._becomes(key, generation, epoch + 1, str(self.written) if key in chosen else None)

    def _becomes(self, key: StateKey, generation: int, epoch: int, state: str | None) -> None:
        self.now[key] = (generation, epoch, 0, state)
        self.seen.append((generation, epoch))

    @invariant()
    def the_store_holds_what_it_must(self) -> None:
        assert {key: _position(state) for key, state in self._loaded().items()} == self.now

    @invariant()
    def what_is_owed_is_of_a_generation_that_has_begun(self) -> None:
        assert all(0 <= state.floor <= state.generation for state in self._loaded().values())

    def _loaded(self) -> dict[StateKey, StreamState]:
        with self.db.read() as tx:
            return {state.key: state for state in states.load(tx, self.connection)}


def _position(state: StreamState) -> tuple[int, int, int, str | None]:
    return state.generation, state.epoch, state.sequence, state.state


def test_the_states_are_what_was_last_allowed(tmp_path: Path) -> None:
    with closing(Database.at(tmp_path / "airbyte.db")) as States.db:
        States.db.prepare()
        run_state_machine_as_test(States, settings=settings(max_examples=12, stateful_step_count=25, deadline=None))
