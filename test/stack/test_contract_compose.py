"""The contract, held on the stack by the very tests that the embedded runtime passes.

As there, the tests share one instance and run in their order.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import test_contract
from test_contract import FACTS, Ran, Run

from resource_airbyte.errors import EngineFault
from resource_airbyte.runtime.stack import command, engine

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300)]
COMPOSE = {"AIRBYTE_RUNTIME": "compose", "AIRBYTE_TEMPORAL_PORT": "0"}

# The parts of the contract that are about the runtime, in the order of an instance's life.
test_before_an_install = test_contract.test_before_an_install
test_install_once_and_again = test_contract.test_install_once_and_again
test_credentials = test_contract.test_credentials_mask_the_token_unless_asked
test_start_once_and_again = test_contract.test_start_once_and_again_and_the_health_of_both_ports
test_status_and_list = test_contract.test_status_and_list_in_every_form
test_the_smoke_phase = test_contract.test_the_smoke_phase_passes_on_the_running_instance
test_restart_stop_and_uninstall = test_contract.test_restart_stop_and_uninstall


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The directory of this file's stack, which is removed in the end whatever happens."""
    try:
        engine.connect()
        command.find()
    except EngineFault as error:
        pytest.skip(f"needs a container engine: {error.message}")
    directory = tmp_path_factory.mktemp("contract")
    yield directory
    test_contract._run(directory, "manage", "uninstall", "--force", env=COMPOSE)


@pytest.fixture
def run(home: Path) -> Run:
    """Run one command line; it is held to the exit codes and the time that the contract gives its verb."""

    def go(*words: str, env: dict[str, str] | None = None) -> Ran:
        ran = test_contract._run(home, *words, env={**COMPOSE, **(env or {})})
        verb = next((each for each in (" ".join(words[:2]), words[0]) if each in FACTS), None)
        if verb is not None:
            assert ran.code in FACTS[verb]["exits"] or ran.code == 1, ran
            assert ran.seconds < FACTS[verb].get("within", 600), ran
        return ran

    return go
