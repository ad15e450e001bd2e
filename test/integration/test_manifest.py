"""A YAML source of our own against a real server: its questions and answers, what it reads, and its warm parent."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from shop_server import MANIFEST, Shop

from resource_airbyte import process
from resource_airbyte.engine.connectors import probe
from resource_airbyte.engine.connectors.children.child import ChildSource, Program
from resource_airbyte.engine.connectors.known.catalog import Connector
from resource_airbyte.engine.connectors.launch import Launch, Launchers
from resource_airbyte.engine.connectors.manifests.warm import Warm
from resource_airbyte.errors import ConnectorFailed, ConnectorTimeout, CustomCodeNotAllowed
from resource_airbyte.protocol.chunk import Chunk
from resource_airbyte.protocol.messages import ConfiguredCatalog, ConfiguredStream, Stream
from resource_airbyte.protocol.seams import SourceState
from resource_airbyte.settings import Settings

# The library is installed once, into the cache that all tests share.
pytestmark = [pytest.mark.network, pytest.mark.timeout(300)]

ORDERS = Stream("orders", {"type": "object"}, ["full_refresh", "incremental"], source_defined_cursor=True)
CUSTOM = """    transformations:
      - type: CustomTransformation
        class_name: source_declarative_manifest.components.Shout
"""
POPEN = ("source_declarative_manifest.components.Shout", "subprocess.Popen\n        args: [touch, /tmp/pwned]")
SHOUT = """
from dataclasses import dataclass
from airbyte_cdk.sources.declarative.transformations import RecordTransformation


@dataclass
class Shout(RecordTransformation):
    def transform(self, record, config=None, stream_state=None, stream_slice=None):
        record["name"] = record["name"].upper()
"""


def connector(manifest: Path = MANIFEST) -> Connector:
    return Connector(
        "id", "source", "Shop", f"file://{manifest}", "source-shop", "local", "manifest", manifest=manifest
    )


@pytest.fixture(scope="module")
def launchers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Launchers]:
    made = Launchers.of(Settings.load(), mark=f"test-{tmp_path_factory.mktemp('mark')}:warm.")
    yield made
    made.close()


@pytest.fixture(scope="module")
def launch(launchers: Launchers) -> Launch:
    return launchers.prepare(connector())


@pytest.fixture
def shop() -> Iterator[Shop]:
    with Shop() as running:
        yield running


@dataclass
class Read:
    """What one read brought: the records' ids, and the last state."""

    ids: list[int]
    state: bytes | None
    code: int


def read(launch: Launch, shop: Shop, *, stream: Stream = ORDERS, state: bytes | None = None) -> Read:
    source = ChildSource(Program(launch.label, launch.argv, launch.env), shop.configuration())
    mode = "incremental" if stream is ORDERS else "full_refresh"
    catalog, found = ConfiguredCatalog([ConfiguredStream(stream, mode, "append", ["updated_at"])]), Read([], None, 0)
    for event in source.read(catalog, b"[" + state + b"]" if state else None):
        if isinstance(event, Chunk):
            found.ids += [json.loads(bytes(record.data))["id"] for record in event.records]
        elif isinstance(event, SourceState):
            found.state = event.payload
    found.code = source.ended().code
    return found


def test_the_specification_is_the_connectors_own(launch: Launch) -> None:
    answer = probe.spec(launch, 120).payload
    assert answer["documentationUrl"] == "https://example.com/shop"
    assert set(answer["connectionSpecification"]["properties"]) == {"base_url", "token", "start_date"}


def test_check_says_whether_the_token_is_right(launch: Launch, shop: Shop) -> None:
    assert probe.check(launch, shop.configuration(), 60).payload == {"status": "SUCCEEDED"}
    wrong = probe.check(launch, shop.configuration(token="wrong-token-0815"), 60).payload
    assert wrong["status"] == "FAILED"
    assert "401" in wrong["message"]


def test_discover_lists_streams_keys_and_cursors(launch: Launch, shop: Shop) -> None:
    streams = {each["name"]: each for each in probe.discover(launch, shop.configuration(), 60).payload["streams"]}
    assert set(streams) == {"customers", "orders"}
    assert streams["orders"]["default_cursor_field"] == ["updated_at"]
    assert streams["orders"]["source_defined_primary_key"] == [["id"]]
    assert "incremental" not in streams["customers"]["supported_sync_modes"]


def test_a_configuration_that_does_not_fit_is_told(launch: Launch) -> None:
    with pytest.raises(ConnectorFailed, match="'token' is a required property") as caught:
        probe.discover(launch, {"base_url": "http://127.0.0.1:9", "start_date": "2026-01-01T00:00:00Z"}, 60)
    assert caught.value.failure_type == "config_error"


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("type: HttpRequester", "type: HttpRequestor", r"at streams\.\d\.retriever.*'HttpRequestor'"),
        ("streams:", "streams: [", r"line \d+, column \d+"),
        ("    primary_key: [id]\n", CUSTOM, r"Python code of its own \(Shout\), and there is no components\.py"),
        ("    primary_key: [id]\n", CUSTOM.replace(*POPEN), r"Python classes \(Popen\), and AIRBYTE_ALLOW_CUSTOM_CODE"),
    ],
    ids=["unfit", "no yaml", "without its code", "with somebody else's code"],
)
def test_a_manifest_that_cannot_be_used_says_where(
    launchers: Launchers, shop: Shop, tmp_path: Path, before: str, after: str, said: str
) -> None:
    manifest = tmp_path / "manifest.yaml"
    manifest.write_text(MANIFEST.read_text().replace(before, after, 1))
    with pytest.raises(ConnectorFailed, match=said) as caught:
        probe.discover(launchers.prepare(connector(manifest)), shop.configuration(), 60)
    assert str(manifest) in caught.value.message


def test_all_pages_are_read_and_limits_and_faults_are_waited_out(launch: Launch, shop: Shop) -> None:
    shop.trouble = [500, 429, 503]
    began = time.monotonic()
    found = read(launch, shop)
    assert (sorted(found.ids), found.code) == (list(range(shop.orders)), 0)
    assert [each.records for each in shop.answered("/orders") if each.records] == [100, 100, 50]
    assert [len(shop.answered("/orders", status)) for status in (500, 429, 503)] == [1, 1, 1]
    assert time.monotonic() - began > float(shop.retry_after)


def test_a_second_read_with_the_state_reads_only_what_is_new(launch: Launch, shop: Shop) -> None:
    first = read(launch, shop)
    assert first.state is not None
    shop.requests.clear()
    shop.add(20)
    second = read(launch, shop, state=first.state)
    # The boundary is inclusive: the newest order of before comes once more.
    assert sorted(second.ids) == list(range(249, 270))
    assert sum(each.records for each in shop.answered("/orders")) == 21
    assert min(each.parameters["updated_from"] for each in shop.answered("/orders")) == "2026-01-01T04:09:00Z"


def test_python_code_runs_only_when_it_is_allowed(launchers: Launchers, shop: Shop, tmp_path: Path) -> None:
    text = MANIFEST.read_text().replace("    primary_key: [id]\n", CUSTOM, 1)
    (tmp_path / "manifest.yaml").write_text(text)
    (tmp_path / "components.py").write_text(SHOUT)
    with pytest.raises(CustomCodeNotAllowed, match="9 lines of Python code of its own"):
        launchers.prepare(connector(tmp_path / "manifest.yaml"))
    allowing = Launchers.of(Settings.load({"allow_custom_code": True, "warm_idle": 0}))
    allowed = allowing.prepare(connector(tmp_path / "manifest.yaml"))
    assert probe.check(allowed, shop.configuration(), 60).payload == {"status": "SUCCEEDED"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["components.py", "manifest.yaml"]


def only(launchers: Launchers) -> psutil.Process:
    """The one warm parent."""
    (pid,) = launchers.warm.pids()
    return psutil.Process(pid)


@dataclass
class Asked:
    """A check that runs in a thread, while the shop says nothing."""

    thread: threading.Thread
    answer: list[Any]

    def result(self) -> Any:
        self.thread.join(60)
        assert not self.thread.is_alive()
        return self.answer[0]


@pytest.fixture
def ask(launch: Launch, shop: Shop) -> Callable[..., Asked]:
    def begin(timeout: float = 60.0) -> Asked:
        reached = threading.Event()
        shop.trouble = ["hang"]
        shop.reached = reached.set
        answer: list[Any] = []

        def run() -> None:
            try:
                answer.append(probe.check(launch, shop.configuration(), timeout).payload)
            except Exception as error:
                answer.append(error)

        asked = Asked(threading.Thread(target=run), answer)
        asked.thread.start()
        assert reached.wait(30)
        return asked

    return begin


def test_a_warm_connector_answers_in_a_tenth_of_the_time(launchers: Launchers, launch: Launch, shop: Shop) -> None:
    probe.check(launch, shop.configuration(), 60)

    def seconds(way: Launch) -> float:
        began = time.perf_counter()
        probe.check(way, shop.configuration(), 60)
        return time.perf_counter() - began

    warm, cold = min(seconds(launch) for _ in range(5)), seconds(replace(launch, starter=None))
    assert warm < cold / 3
    assert only(launchers).memory_info().rss < 150 << 20


def test_a_warm_connector_leads_a_group_that_is_marked_and_shows_no_secret(
    launchers: Launchers, shop: Shop, ask: Callable[..., Asked]
) -> None:
    began = time.time()
    asked = ask()
    parent = only(launchers)
    (child,) = parent.children()
    mark = parent.environ()[process.MARK]
    assert os.getpgid(child.pid) == os.getsid(child.pid) == child.pid
    assert {parent.pid, child.pid} <= set(process.marked(mark))
    seen = [
        Path(f"/proc/{each.pid}/{file}").read_bytes() for each in (parent, child) for file in ("cmdline", "environ")
    ]
    for directory in Path(tempfile.gettempdir()).glob("resource-airbyte-*"):
        if directory.stat().st_mtime > began - 1:
            seen += [path.read_bytes() for path in directory.rglob("*") if path.is_file()]
    assert not any(shop.token.encode() in content for content in seen)
    shop.let_go()
    assert asked.result() == {"status": "SUCCEEDED"}
    assert not psutil.pid_exists(child.pid)


@pytest.mark.slow
def test_a_warm_connector_that_hangs_is_ended_at_its_deadline(launchers: Launchers, ask: Callable[..., Asked]) -> None:
    asked = ask(timeout=3.0)
    (child,) = only(launchers).children()
    assert isinstance(asked.result(), ConnectorTimeout)
    assert process.wait_gone(child.pid, 5)
    assert only(launchers).is_running()


def test_a_warm_parent_that_is_killed_takes_no_answer_with_it(
    launchers: Launchers, launch: Launch, shop: Shop, ask: Callable[..., Asked]
) -> None:
    asked = ask()
    parent = only(launchers)
    parent.kill()
    shop.let_go()
    assert asked.result() == {"status": "SUCCEEDED"}
    assert probe.check(launch, shop.configuration(), 60).payload == {"status": "SUCCEEDED"}
    assert only(launchers).pid != parent.pid


def test_without_a_warm_parent_the_connector_is_started_as_any_other(launch: Launch, shop: Shop) -> None:
    broken = Warm(60)
    with ExitStack() as stack:
        stack.callback(broken.close)
        # A Python that ends at once cannot be a warm parent; nor can it be a connector, and that is what is told.
        nothing = replace(launch, argv=("/bin/false", *launch.argv[1:]), starter=broken.start)
        with pytest.raises(Exception, match="crashed during spec"):
            probe.spec(nothing, 60)
    closed = replace(launch, starter=broken.start)
    assert probe.check(closed, shop.configuration(), 60).payload == {"status": "SUCCEEDED"}
    assert broken.pids() == []


@pytest.mark.slow
def test_a_warm_parent_ends_when_nothing_is_asked(launch: Launch) -> None:
    warm = Warm(0.2)
    began = replace(launch, starter=warm.start)
    probe.spec(began, 60)
    for pid in warm.pids():
        assert process.wait_gone(pid, 10)
    assert probe.spec(began, 60).payload
    warm.close()


ENDS = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from test_manifest import connector
from resource_airbyte.engine.connectors import probe
from resource_airbyte.engine.connectors.launch import Launchers
from resource_airbyte.settings import Settings
launchers = Launchers.of(Settings.load())
launch = launchers.prepare(connector())
probe.spec(launch, 60)
print(*launchers.warm.pids(), flush=True)
probe.check(launch, {"base_url": sys.argv[2], "token": "shop-token-4711", "start_date": "2026-01-01T00:00:00Z"}, 60)
"""


@pytest.mark.slow
def test_a_warm_parent_ends_with_whoever_started_it_and_takes_its_children_along(shop: Shop) -> None:
    shop.trouble, reached = ["hang"], threading.Event()
    shop.reached = reached.set
    path = os.pathsep.join(path for path in sys.path if path)
    argv = [sys.executable, "-c", ENDS, str(Path(__file__).parent), shop.url]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": path}) as user:
        assert user.stdout is not None
        parent = psutil.Process(int(user.stdout.readline()))
        assert reached.wait(30)
        family = [parent, *parent.children()]
        assert len(family) == 2
        user.send_signal(signal.SIGKILL)
    assert all(process.wait_gone(each.pid, 10) for each in family)


def test_many_ask_one_warm_parent_at_once(launchers: Launchers, launch: Launch, shop: Shop) -> None:
    answers: list[Any] = []

    def check() -> None:
        answers.append(probe.check(launch, shop.configuration(), 60).payload["status"])

    threads = [threading.Thread(target=check) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == ["SUCCEEDED"] * 8
    assert len(launchers.warm.pids()) == 1
