#!/usr/bin/env python3
"""A source that misbehaves as it is told, at a counted message, and keeps a journal of what it has said. For the fault
suite; no dependencies.

    faulty.py spec | check | discover | read  --config FILE [--catalog FILE] [--state FILE]

The configuration:

    place     a directory: `job` (JSON: "number" of the job, "begun": how often we were started before it, "records":
              how many each stream has now), `pids` (JSON: whom faults may meet), and the journal of each time that we
              were started to read, `0.jsonl`, `1.jsonl`, …
    streams   ["a", …], in the order of reading; `mixed`: in turns, `chunk` records at a time, else one after the other
    state     "stream", "global", "legacy", or "none"; after so many records: `every`; `last`: also at a stream's end
    bare      streams that have no states of their own, whatever `state` says
    statuses  whether streams say how they are
    faults    [{"job", "turn", "at", "do", …}]: done the turn-th time that we are started for this job, before message
              number `at` (counted around: a number beyond the last message is one of another round); -1: after the last

Record i of a stream is always the same. A state holds the position and a token, "<turn>.<line of the journal>".

Faults, {"do": …, "settle"?: seconds between what was said before and the fault}:

    "die"                        by SIGKILL; "exit": with "code"; "error": after an ERROR trace of "type", with "code"
    "half"                       half a record, and the end with "code"; "cut": half a record, and on without it
    "noise"                      lines that are not the protocol
    "twice"                      a record is said twice; "state": the last state is said again
    "pause"                      "seconds"
    "kill", "stop"               "whom": our attempt ("attempt"), whoever runs that ("runner"), "both", or whom `pids`
                                 names, with its children; a kill "later" by so many seconds, whatever we do by then;
                                 who is stopped is woken after "seconds"
                                 (a process in `late`, a file with a line for each, does it)
    "ask"                        whoever plays this is asked to do something, by a file `asked`; we wait until that is
                                 gone, "seconds" at most
"""

import argparse
import contextlib
import fcntl
import json
import os
import signal
import struct
import subprocess
import sys
import termios
import time

DRAINED = 2.0  # seconds that the reader has to take what was said before a fault


class Reading:
    """One time that we are started to read."""

    def __init__(self, config, catalog, state):
        self.config = config
        chosen = {entry["stream"]["name"] for entry in catalog["streams"]}
        self.streams = [name for name in config["streams"] if name in chosen]
        self.positions, self.tokens = dict.fromkeys(self.streams, 0), dict.fromkeys(self.streams)
        self.resume(state)
        self.since, self.said = dict.fromkeys(self.streams, 0), 0
        with open(os.path.join(config["place"], "job")) as file:
            self.job = json.load(file)
        self.records = self.job["records"]
        self.turn, self.journal = self.opened()
        self.lines = 0
        self.note(start=self.tokens)

    def opened(self):
        turn = 0
        while os.path.exists(self.path(turn)):
            turn += 1
        return turn, os.open(self.path(turn), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o644)

    def path(self, turn):
        return os.path.join(self.config["place"], f"{turn}.jsonl")

    def resume(self, state):
        if isinstance(state, dict) and "positions" in state:
            return self.take(state["positions"], state["token"])
        for entry in state if isinstance(state, list) else []:
            if entry.get("type") == "GLOBAL":
                held = entry["global"]
                parts = {s["stream_descriptor"]["name"]: s["stream_state"]["position"] for s in held["stream_states"]}
                self.take(parts, held["shared_state"]["token"])
            else:
                part = entry["stream"]["stream_state"]
                self.take({entry["stream"]["stream_descriptor"]["name"]: part["position"]}, part["token"])
        return None

    def take(self, positions, token):
        for name in set(positions) & set(self.streams):
            self.positions[name], self.tokens[name] = positions[name], token

    def note(self, **what):
        os.write(self.journal, json.dumps(what).encode() + b"\n")
        self.lines += 1

    # What is to be said

    def plan(self):
        left = {name: max(self.records[name] - self.positions[name], 0) for name in self.streams}
        started, over, since = set(), [], 0
        queue = list(self.streams)
        while queue:
            name = queue.pop(0)
            if name not in started:
                started.add(name)
                yield ("status", name, "STARTED")
            portion = min(left[name], self.config["chunk"]) if self.config["mixed"] else left[name]
            for _ in range(portion):
                yield ("record", name)
                since += 1
                if since % self.config["every"] == 0:
                    yield ("state", name)
            left[name] -= portion
            if left[name]:
                queue.append(name)
                continue
            if self.config["last"] and self.config["state"] == "stream":
                yield ("state", name)
            over.append(name)
            if self.config["state"] == "stream":
                yield ("status", name, "COMPLETE")
        if self.config["state"] != "stream":
            if self.config["last"]:
                yield ("state", None)
            for name in over:
                yield ("status", name, "COMPLETE")

    def messages(self):
        silent = {"status"} if not self.config["statuses"] else set()
        if self.config["state"] == "none":
            silent.add("state")
        bare = self.config.get("bare", [])
        return [m for m in self.plan() if m[0] not in silent and not (m[0] == "state" and m[1] in bare)]

    def run(self):
        messages = self.messages()
        now = (self.job["number"], self.turn - self.job["begun"])
        faults = [fault for fault in self.config["faults"] if (fault["job"], fault["turn"]) == now]
        at = {}
        for fault in faults:
            number = len(messages) if fault["at"] < 0 or not messages else fault["at"] % len(messages)
            at.setdefault(number, []).append(fault)
        for number, message in enumerate(messages):
            instead = [self.do(fault, message) for fault in at.get(number, [])]
            if "skip" not in instead:
                self.send(*message)
        for fault in at.get(len(messages), []):
            self.do(fault, ("end",))
        self.flush()
        self.note(end=0)

    def send(self, kind, name, *rest):
        if kind == "record":
            self.note(record=[name, self.positions[name] + 1])
            self.say(self.record(name))
            self.positions[name] += 1
            self.since[name] += 1
        elif kind == "state":
            self.state(name)
        else:
            self.note(status=[name, rest[0]])
            status = {"stream_descriptor": {"name": name}, "status": rest[0]}
            self.trace("STREAM_STATUS", stream_status=status)
        self.said += 1
        if kind != "record" or self.said % 5 == 0:
            self.flush()

    def record(self, name):
        number = self.positions[name] + 1
        data = {"id": number, "name": f"{name} {number} ü"}
        return {"type": "RECORD", "record": {"stream": name, "data": data, "emitted_at": 1_700_000_000_000 + number}}

    def state(self, name):
        token, kind = f"{self.turn}.{self.lines}", self.config["state"]
        covered = [name] if kind == "stream" else self.streams
        count = sum(self.since[each] for each in covered)
        self.since.update(dict.fromkeys(covered, 0))
        positions = {each: self.positions[each] for each in covered}
        parts = [
            {"stream_descriptor": {"name": each}, "stream_state": {"position": at, "token": token}}
            for each, at in positions.items()
        ]
        if kind == "stream":
            state = {"type": "STREAM", "stream": parts[0]}
        elif kind == "global":
            state = {"type": "GLOBAL", "global": {"shared_state": {"token": token}, "stream_states": parts}}
        else:
            state = {"type": "LEGACY", "data": {"token": token, "positions": positions}}
        self.note(state=covered, token=token)
        self.last_state = {"type": "STATE", "state": {**state, "sourceStats": {"recordCount": count}}}
        self.say(self.last_state)

    def say(self, message):
        sys.stdout.write(json.dumps(message, separators=(",", ":"), ensure_ascii=False) + "\n")

    def trace(self, kind, **payload):
        self.say({"type": "TRACE", "trace": {"type": kind, "emitted_at": time.time() * 1000, **payload}})

    def flush(self):
        sys.stdout.flush()

    # Faults

    def do(self, fault, message):
        self.flush()
        self.drained()
        time.sleep(fault.get("settle", 0))
        self.note(fault=fault)
        return getattr(self, f"do_{fault['do']}")(fault, message)

    def drained(self):
        """Until the reader has taken all that we have said: else it would be killed before it has seen any of it."""
        end = time.monotonic() + DRAINED
        while time.monotonic() < end and struct.unpack("i", fcntl.ioctl(1, termios.FIONREAD, b"\0" * 4))[0]:
            time.sleep(0.005)

    def do_die(self, fault, message):
        os.kill(os.getpid(), signal.SIGKILL)

    def do_exit(self, fault, message):
        self.note(end=fault["code"])
        os._exit(fault["code"])

    def do_error(self, fault, message):
        self.trace("ERROR", error={"message": "told to fail", "failure_type": fault["type"]})
        self.flush()
        self.do_exit(fault, message)

    def do_half(self, fault, message):
        self.halved(message)
        self.do_exit({"code": fault.get("code", 0)}, message)

    def do_cut(self, fault, message):
        """Half of a record is in the place of a whole one, which is lost."""
        if message[0] != "record":
            return None
        self.halved(message)
        self.note(lost=[message[1], self.positions[message[1]] + 1])
        self.positions[message[1]] += 1
        self.since[message[1]] += 1
        sys.stdout.write("\n")
        self.flush()
        return "skip"

    def halved(self, message):
        name = message[1] if message[0] == "record" else self.streams[0]
        line = json.dumps(self.record(name))
        sys.stdout.write(line[: len(line) * 2 // 3])
        self.flush()

    def do_noise(self, fault, message):
        sys.stdout.write("a library says hello on the wrong stream\n{}\n\n")

    def do_twice(self, fault, message):
        if message[0] == "record":
            self.note(record=[message[1], self.positions[message[1]] + 1])
            self.say(self.record(message[1]))

    def do_state(self, fault, message):
        if getattr(self, "last_state", None):
            self.say({**self.last_state, "state": {**self.last_state["state"], "sourceStats": {"recordCount": 0}}})

    def do_pause(self, fault, message):
        time.sleep(fault["seconds"])

    def do_ask(self, fault, message):
        path, end = os.path.join(self.config["place"], "asked"), time.monotonic() + fault["seconds"]
        with open(path, "w"):
            pass
        while os.path.exists(path) and time.monotonic() < end:
            time.sleep(0.02)

    def do_kill(self, fault, message):
        self.meet(self.whom(fault["whom"]), signal.SIGKILL, fault.get("later", 0), 0)

    def do_stop(self, fault, message):
        self.meet(self.whom(fault["whom"]), signal.SIGSTOP, 0, fault["seconds"])

    def meet(self, pids, number, later, then):
        """Send a signal now, or by another process later; what was stopped is woken by that, too."""
        if not later:
            for pid in pids:
                hit(pid, number)
        if later or then:
            # In a session of its own and without our mark: it must outlive us, and whoever clears up after us.
            argv = [sys.executable, "-S", "-E", __file__, "later", *map(str, (later, int(number), then, *pids))]
            nothing = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
            made = subprocess.Popen(argv, start_new_session=True, env={}, **nothing)
            if later:
                with open(os.path.join(self.config["place"], "late"), "a") as file:
                    print(made.pid, file=file)

    def whom(self, whom):
        """Process ids: of our attempt, of who runs it, of both, or of somebody that `pids` names, with its children."""
        if whom == "attempt":
            return [os.getppid()]
        if whom == "runner":
            return [parent(os.getppid())]
        if whom == "both":
            return [parent(os.getppid()), os.getppid()]
        with open(os.path.join(self.config["place"], "pids")) as file:
            pid = json.load(file)[whom]
        try:
            with open(f"/proc/{pid}/task/{pid}/children") as file:
                return [pid, *map(int, file.read().split())]
        except OSError:
            return []  # it has been killed, and not been started again yet


def parent(pid):
    with open(f"/proc/{pid}/stat") as file:
        return int(file.read().rpartition(")")[2].split()[1])


def hit(pid, number):
    with contextlib.suppress(ProcessLookupError):  # it may have ended meanwhile
        os.kill(pid, number)


def hit_later(later, number, then, *pids):
    """Run in a process of its own."""
    if float(later):
        time.sleep(float(later))
        for pid in pids:
            hit(int(pid), int(number))
    if float(then):
        time.sleep(float(then))
        for pid in pids:
            hit(int(pid), signal.SIGCONT)


def document(path):
    if path is None:
        return None
    with open(path, "rb") as file:
        return json.load(file)


def main():
    if sys.argv[1] == "later":
        return hit_later(*sys.argv[2:])
    parser = argparse.ArgumentParser(description="A source that misbehaves as it is told.")
    parser.add_argument("command", choices=["spec", "check", "discover", "read"])
    for name in ("config", "catalog", "state"):
        parser.add_argument(f"--{name}")
    given = parser.parse_args()
    if given.command == "spec":
        print(json.dumps({"type": "SPEC", "spec": {"connectionSpecification": {"type": "object", "properties": {}}}}))
    elif given.command == "check":
        print(json.dumps({"type": "CONNECTION_STATUS", "connectionStatus": {"status": "SUCCEEDED"}}))
    elif given.command == "discover":
        names = document(given.config)["streams"]
        schema = {"type": "object", "properties": {"id": {"type": "integer"}, "name": {"type": "string"}}}
        modes = ["full_refresh", "incremental"]
        streams = [{"name": name, "json_schema": schema, "supported_sync_modes": modes} for name in names]
        print(json.dumps({"type": "CATALOG", "catalog": {"streams": streams}}))
    else:
        sys.stdout.reconfigure(encoding="utf-8")
        Reading(document(given.config), document(given.catalog), document(given.state)).run()
    return None


if __name__ == "__main__":
    main()
