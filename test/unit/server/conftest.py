"""The whole API in process, on a fake orchestrator: the seam at which the real one lives."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest
from api_double import (
    DESTINATION,
    PORTS,
    PUBLIC,
    SOURCE,
    TOKEN,
    Api,
    Contract,
    FakeOrchestrator,
    OfTheTest,
)
from cryptography.fernet import Fernet

from resource_airbyte.engine.connectors.known.registry import Registry
from resource_airbyte.engine.control import Control
from resource_airbyte.engine.control.definitions import known
from resource_airbyte.engine.metrics import Metrics
from resource_airbyte.engine.secrets import Box
from resource_airbyte.engine.server import create_app
from resource_airbyte.engine.store import Database


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated database, to be copied: the migrations take a third of a second."""
    path = tmp_path_factory.mktemp("prepared") / "airbyte.db"
    with closing(Database.at(path)) as db:
        db.prepare()
    return path


@pytest.fixture
def db(tmp_path: Path, prepared: Path) -> Iterator[Database]:
    shutil.copy(prepared, tmp_path / "airbyte.db")
    with closing(Database.at(tmp_path / "airbyte.db")) as db:
        yield db


@pytest.fixture
def orchestrator(db: Database) -> FakeOrchestrator:
    return FakeOrchestrator(db, Box(Fernet.generate_key()))


@pytest.fixture
def log_dir(tmp_path: Path) -> Path:
    return tmp_path / "logs" / "jobs"


@pytest.fixture
def control(db: Database, orchestrator: FakeOrchestrator, log_dir: Path) -> Control:
    return Control(
        db=db,
        box=orchestrator.box,
        catalog=partial(known, db, PUBLIC),
        orchestrator=orchestrator,
        log_dir=log_dir,
        url="http://localhost:8000",
        registry=Registry("http://127.0.0.1:1", log_dir.parent / "registry", offline=True),
    )


@pytest.fixture(scope="session")
def built() -> tuple[Any, dict[str, Any]]:
    """The application, and what its stand-ins mean, by their names."""
    meant: dict[str, Any] = {}
    control, counting = (OfTheTest(partial(meant.get, name)) for name in ("control", "counting"))
    return create_app(cast(Control, control), token=lambda: TOKEN, ports=PORTS, counting=cast(Metrics, counting)), meant


@pytest.fixture
def app(control: Control, built: tuple[Any, dict[str, Any]]) -> Iterator[Any]:
    app, meant = built
    meant.update(control=control, counting=Metrics(control.counts.read))
    yield app
    meant.clear()


@pytest.fixture(scope="session")
def contract() -> Contract | None:
    return Contract.load()


@pytest.fixture
def api(app: Any, contract: Contract | None) -> Api:
    return Api(app, contract=contract)


@pytest.fixture
def workspace(api: Api) -> str:
    found: str = api.get("/api/v1/instance_configuration")["defaultWorkspaceId"]
    return found


@pytest.fixture
def source(api: Api, workspace: str) -> Any:
    configuration = {"count": 5, "host": "a.example", "password": "hunter2"}
    return api.post(
        "sources/create",
        {
            "workspaceId": workspace,
            "name": "people",
            "sourceDefinitionId": SOURCE,
            "connectionConfiguration": configuration,
        },
    )


@pytest.fixture
def destination(api: Api, workspace: str) -> Any:
    body = {
        "workspaceId": workspace,
        "name": "ware",
        "destinationDefinitionId": DESTINATION,
        "connectionConfiguration": {"path": "x"},
    }
    return api.post("destinations/create", body)


@pytest.fixture
def connect(api: Api, source: Any, destination: Any) -> Callable[..., Any]:
    """Make a connection of every discovered stream as suggested; keywords add to the body."""

    def make(*, expected: int = 200, **options: Any) -> Any:
        catalog = api.post("sources/discover_schema", {"sourceId": source["sourceId"]})["catalog"]
        body = {
            "name": "people to ware",
            "sourceId": source["sourceId"],
            "destinationId": destination["destinationId"],
            "status": "active",
            "syncCatalog": catalog,
            **options,
        }
        return api.post("connections/create", body, expected)

    return make


@pytest.fixture
def connection(connect: Callable[..., Any]) -> Any:
    return connect()


@pytest.fixture
def together() -> Callable[[Callable[[], Any], int], list[Any]]:
    """Call something from many threads at once; what the calls returned."""

    def run(work: Callable[[], Any], count: int) -> list[Any]:
        found: list[Any] = []
        threads = [threading.Thread(target=lambda: found.append(work())) for _ in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return found

    return run
