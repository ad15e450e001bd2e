#!/usr/bin/env python3
"""A connector that does what its configuration says: source and destination in one, for tests. No dependencies.

    scripted.py spec | check | discover | read | write   --config FILE [--catalog FILE] [--state FILE]

The configuration (all keys optional; `spec` has none and reads the environment variable SCRIPTED instead):

    streams   what the source has: [{"name", "namespace"?, "records": 10, "fields": {"id": "integer", "name": "string"},
              "schema"?: a JSON schema in place of `fields`, "pad"?: bytes of filler text per record,
              "noise"?: bytes of text in `name` that nothing can compress, "cursor"?: "id",
              "primary_key"?: [["id"]], "modes"?: ["full_refresh", "incremental"], "resumable"?: true,
              "values"?: {field: [value, …]}: taken in turn instead of generated ones}]
    on        steps per command: {"check": [step, …], "read": […], …}; a command without steps gives its plain answer
    write     what the destination does: see below
    password  marked secret in the specification, and otherwise of no use

Record number i of a stream is always the same. A stream's state is {"position": n}: the first n records are done. With
--state it goes on from there; reading never emits more than the stream's `records` in all.

Steps, in order. A word, or an object with one key:

    "answer"                     the command's plain answer (read: every configured stream from STARTED to COMPLETE)
    {"records": {"stream", "count"?: all that are left, "state_every"?: n}}
    {"state": "stream"}          also {"state": {"stream", "data"?, "count"?: a count that may be wrong}}
    {"global": {…}}              a GLOBAL state with this shared state and every stream's position
    {"legacy": {…}}              a LEGACY state with this data
    {"status": ["stream", "COMPLETE"]}
    {"estimate": ["stream", 1000]}
    {"log": "text"}              also {"log": ["WARN", "text"]}
    {"error": "text"}            an ERROR trace; also {"error": {"message", "failure_type", "stream", …}}
    {"control": {…}}             CONTROL with this as the new configuration
    {"rotate": "path"}           the file names the only token that is good: with another `password` than that, an ERROR
                                 trace and the end; else a new one is written there, and asked to be kept by CONTROL
    {"message": {…}}             any message, as it stands
    {"garbage": "text"}          a line that is not JSON
    {"bytes": "fffe00"}          raw bytes, in hex, and a line end
    {"long": n}                  a line of n bytes that is not JSON; {"long_record": ["stream", n]} a record of n bytes
    {"partial": "text"}          text without a line end; {"file": "path"} the bytes of this file
    "confess"                    print the whole configuration, and `password` alone, in every way that is not a record
    {"stderr": n}                n bytes on stderr, in lines; {"stderr_raw": n} without a line end; {"say": "text"} one
                                 line on stderr
    {"style": "spaced"}          JSON with spaces from now on ("compact" is how it begins)
    {"floats": true}             whole numbers in emitted_at and sourceStats as floats from now on
    {"sleep": seconds}           "hang": wait for a signal, forever
    "jot"                        write the whole configuration to a temporary file, and leave it there
    {"open": "path"}             open this FIFO for reading: waits until somebody opens it for writing
    {"touch": "path"}            make this file, holding our process id
    "ignore_sigterm"
    {"orphan": seconds}          start a worker in our process group that keeps stdout open; {"escaped": seconds} one in
                                 a session of its own; {"stranger": seconds} also with nothing in its environment, and
                                 it writes lines all the time; its process id is said in a LOG: "orphan 4711"
    "chatter"                    LOG lines, forever; {"drip": seconds} a byte so often, no line end; {"flood": step}
                                 the step, forever, as fast as it goes
    {"pool": n}                  n workers of a multiprocessing pool, left alone
    "close_stdout"
    {"hoard": n}                 take n bytes of memory
    {"exit": code}               {"crash": "text"}: an exception nobody handles
    {"once": ["path", step]}     do the step, unless this file exists; make it first
    {"turn": ["path", […]]}      the first time the first of these lists of steps, then the second, …; after them, none
    {"kill": 9}                  send ourselves this signal

The destination appends each RECORD line to `write.file` and answers each STATE once what came before it is on disk:

    write     {"file": "path", "stats"?: false: without destinationStats, "lie"?: n added to every count,
              "hold"?: true: states are answered at the end only, "swallow"?: true: never,
              "at": [[n, step], …]: do a step when n records have come, "end": [step, …]: after the last line}

A stream with destination_sync_mode overwrite, or with a minimum_generation_id, empties the file first.
"""

import argparse
import base64
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from urllib.parse import quote, quote_plus

from records import START, data_of, fields_of, schema_of
from writing import Destination


class Scripted:
    def __init__(self, command, config, catalog, state):
        self.command, self.config = command, config
        self.streams = {stream["name"]: stream for stream in config.get("streams", [])}
        self.chosen = None if catalog is None else {entry["stream"]["name"] for entry in catalog["streams"]}
        self.configured = catalog
        self.positions = dict.fromkeys(self.streams, 0)
        for entry in state or []:
            self.resume(entry)
        self.since = dict.fromkeys(self.streams, 0)
        self.separators = (",", ":")
        self.number = int
        self.out = sys.stdout.buffer

    def resume(self, entry):
        entries = entry["global"]["stream_states"] if entry.get("type") == "GLOBAL" else [entry.get("stream")]
        for found in filter(None, entries):
            name = found["stream_descriptor"]["name"]
            self.positions[name] = (found.get("stream_state") or {}).get("position", 0)
        for name, found in entry.items():
            if name in self.positions and "position" in found:  # a LEGACY state that has a position of each stream
                self.positions[name] = found["position"]

    def main(self):
        for step in self.config.get("on", {}).get(self.command) or ["answer"]:
            self.do(step)
        self.out.flush()

    def do(self, step):
        name, argument = (step, None) if isinstance(step, str) else next(iter(step.items()))
        getattr(self, f"do_{name}")(*([] if argument is None else [argument]))

    # What is said

    def say(self, message):
        self.out.write(json.dumps(message, separators=self.separators).encode() + b"\n")

    def trace(self, kind, **payload):
        self.say({"type": "TRACE", "trace": {"type": kind, "emitted_at": time.time() * 1000, **payload}})

    def descriptor(self, name):
        namespace = self.streams.get(name, {}).get("namespace")
        return {"name": name, "namespace": namespace} if namespace else {"name": name}

    def wanted(self, name):
        return self.chosen is None or name in self.chosen

    # Plain answers

    def do_answer(self):
        getattr(self, f"answer_{self.command}")()

    def answer_spec(self):
        schema = {
            "type": "object",
            "title": "Scripted",
            "properties": {
                "streams": {"type": "array"},
                "on": {"type": "object"},
                "write": {"type": "object"},
                "password": {"type": "string", "airbyte_secret": True},
            },
        }
        modes = ["append", "overwrite", "append_dedup"]
        spec = {
            "connectionSpecification": schema,
            "supported_destination_sync_modes": modes,
            "supportsIncremental": True,
        }
        self.say({"type": "SPEC", "spec": spec})

    def answer_check(self):
        self.say({"type": "CONNECTION_STATUS", "connectionStatus": {"status": "SUCCEEDED"}})

    def answer_discover(self):
        self.say({"type": "CATALOG", "catalog": {"streams": [self.described(name) for name in self.streams]}})

    def described(self, name):
        stream = self.streams[name]
        described = {
            **self.descriptor(name),
            "json_schema": stream.get("schema") or schema_of(fields_of(stream)),
            "supported_sync_modes": stream.get("modes", ["full_refresh", "incremental"]),
            "is_resumable": stream.get("resumable", True),
        }
        if "cursor" in stream:
            described.update(source_defined_cursor=True, default_cursor_field=[stream["cursor"]])
        if "primary_key" in stream:
            described["source_defined_primary_key"] = stream["primary_key"]
        return described

    def answer_read(self):
        for name in self.streams:
            if self.wanted(name):
                self.do_status([name, "STARTED"])
                self.do_records({"stream": name})
                self.do_state(name)
                self.do_status([name, "COMPLETE"])

    def answer_write(self):
        Destination(self).run()

    # Steps

    def do_records(self, argument):
        name = argument["stream"]
        if not self.wanted(name):
            return
        stream = self.streams[name]
        left = stream.get("records", 10) - self.positions[name]
        for _ in range(min(argument.get("count", left), left)):
            self.record(name, stream)
            if "state_every" in argument and self.since[name] == argument["state_every"]:
                self.do_state(name)

    def record(self, name, stream):
        number = self.positions[name]
        data = data_of(stream, name, number)
        at = self.number((START + number) * 1000)
        named = {"stream": name}
        if stream.get("namespace"):
            named["namespace"] = stream["namespace"]
        self.say({"type": "RECORD", "record": {**named, "data": data, "emitted_at": at}})
        self.positions[name] += 1
        self.since[name] += 1

    def do_state(self, argument):
        given = {"stream": argument} if isinstance(argument, str) else argument
        name = given["stream"]
        if not self.wanted(name):
            return
        data = given.get("data", {"position": self.positions[name]})
        count = self.number(given.get("count", self.since[name]))
        self.since[name] = 0
        payload = {"stream_descriptor": self.descriptor(name), "stream_state": data}
        state = {"type": "STREAM", "stream": payload, "sourceStats": {"recordCount": count}}
        self.say({"type": "STATE", "state": state})
        self.out.flush()

    def do_global(self, shared):
        streams = [
            {"stream_descriptor": self.descriptor(name), "stream_state": {"position": self.positions[name]}}
            for name in self.streams
            if self.wanted(name)
        ]
        count = self.number(sum(self.since.values()))
        self.since = dict.fromkeys(self.streams, 0)
        payload = {"shared_state": shared, "stream_states": streams}
        self.say(
            {"type": "STATE", "state": {"type": "GLOBAL", "global": payload, "sourceStats": {"recordCount": count}}}
        )
        self.out.flush()

    def do_legacy(self, data):
        self.say({"type": "STATE", "state": {"type": "LEGACY", "data": data}})
        self.out.flush()

    def do_status(self, argument):
        name, status = argument
        if self.wanted(name):
            self.trace("STREAM_STATUS", stream_status={"stream_descriptor": self.descriptor(name), "status": status})
            self.out.flush()

    def do_estimate(self, argument):
        name, rows = argument
        self.trace("ESTIMATE", estimate={**self.descriptor(name), "type": "STREAM", "row_estimate": rows})

    def do_log(self, argument):
        level, text = ("INFO", argument) if isinstance(argument, str) else argument
        self.say({"type": "LOG", "log": {"level": level, "message": text}})
        self.out.flush()

    def do_error(self, argument):
        error = {"message": argument} if isinstance(argument, str) else dict(argument)
        if "stream" in error:
            error["stream_descriptor"] = self.descriptor(error.pop("stream"))
        self.trace("ERROR", error=error)
        self.out.flush()

    def do_control(self, config):
        payload = {"type": "CONNECTOR_CONFIG", "emitted_at": time.time() * 1000, "connectorConfig": {"config": config}}
        self.say({"type": "CONTROL", "control": payload})
        self.out.flush()

    def do_rotate(self, path):
        with open(path) as file:
            good = file.read()
        if self.config.get("password") != good:
            self.do_error({"message": "this token was used before", "failure_type": "config_error"})
            self.do_exit(1)
        self.config = {**self.config, "password": f"{good}+"}
        with open(path, "w") as file:
            file.write(self.config["password"])
        self.do_control(self.config)

    def do_message(self, message):
        self.say(message)
        self.out.flush()

    def do_garbage(self, text):
        self.raw(text.encode() + b"\n")

    def do_bytes(self, text):
        self.raw(bytes.fromhex(text) + b"\n")

    def do_long(self, size):
        block = b"x" * (1 << 20)
        for _ in range(size >> 20):
            self.out.write(block)
        self.raw(b"x" * (size % (1 << 20)) + b"\n")

    def do_long_record(self, argument):
        name, size = argument
        if self.wanted(name):
            self.record(name, {**self.streams[name], "pad": size})

    def do_partial(self, text):
        self.raw(text.encode())

    def do_file(self, path):
        with open(path, "rb") as file:
            self.raw(file.read())

    def raw(self, data):
        self.out.write(data)
        self.out.flush()

    def do_confess(self):
        secret = self.config["password"]
        basic = base64.b64encode(f"user:{secret}".encode()).decode()
        spellings = [secret, repr(secret), json.dumps(secret), quote(secret), quote_plus(secret), f"Basic {basic}"]
        for text in [*spellings, json.dumps(self.config), repr(self.config), f"https://me:{secret}@host/"]:
            self.do_log(text)
            self.do_log(["ERROR", f"at the end: {text}"])
            self.do_say(text)
            self.do_garbage(text)

    def do_jot(self):
        with os.fdopen(tempfile.mkstemp()[0], "w") as file:
            json.dump(self.config, file)

    def do_stderr(self, size):
        line = b"a line on the error stream that says nothing of interest\n"
        sys.stderr.buffer.write(line * (size // len(line)))
        sys.stderr.buffer.flush()

    def do_stderr_raw(self, size):
        sys.stderr.buffer.write(b"x" * size)
        sys.stderr.buffer.flush()

    def do_say(self, text):
        print(text, file=sys.stderr, flush=True)

    def do_style(self, style):
        self.separators = (", ", ": ") if style == "spaced" else (",", ":")

    def do_floats(self, floats):
        self.number = float if floats else int

    def do_sleep(self, seconds):
        self.out.flush()
        time.sleep(seconds)

    def do_hang(self):
        self.out.flush()
        while True:
            signal.pause()

    def do_open(self, path):
        self.out.flush()
        with open(path, "rb") as fifo:
            fifo.read()

    def do_touch(self, path):
        self.out.flush()
        with open(path, "w") as file:
            file.write(str(os.getpid()))

    def do_ignore_sigterm(self):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)

    def do_orphan(self, seconds, session=False):
        argv = [sys.executable, "-c", f"import time; time.sleep({seconds})"]
        # Not waited for: that is what makes it an orphan.
        self.orphan = subprocess.Popen(argv, start_new_session=session)
        self.do_log(f"orphan {self.orphan.pid}")

    def do_escaped(self, seconds):
        self.do_orphan(seconds, session=True)

    def do_stranger(self, seconds):
        program = (
            f"import sys, time; end = time.time() + {seconds}\n"
            "while time.time() < end: print('noise', flush=True), time.sleep(0.0002)"
        )
        self.orphan = subprocess.Popen([sys.executable, "-S", "-E", "-c", program], start_new_session=True, env={})
        self.do_log(f"orphan {self.orphan.pid}")

    def do_chatter(self):
        while True:
            self.do_log("still here")
            time.sleep(0.01)

    def do_flood(self, step):
        while True:
            self.do(step)

    def do_drip(self, seconds):
        while True:
            self.raw(b"x")
            time.sleep(seconds)

    def do_pool(self, count):
        import multiprocessing

        for _ in range(count):
            worker = multiprocessing.get_context("fork").Process(target=time.sleep, args=(600,), daemon=False)
            worker.start()
            self.do_log(f"orphan {worker.pid}")

    def do_hoard(self, size):
        self.hoard = bytearray(os.urandom(1 << 10) * (size >> 10))

    def do_close_stdout(self):
        self.out.flush()
        os.close(1)

    def do_exit(self, code):
        self.out.flush()
        os._exit(code)

    def do_crash(self, text):
        self.out.flush()
        raise RuntimeError(text)

    def do_once(self, argument):
        path, step = argument
        if not os.path.exists(path):
            with open(path, "w"):
                pass
            self.do(step)

    def do_turn(self, argument):
        path, turns = argument
        with open(path, "a+b") as file:  # its size says how many times we were here
            at = file.tell()
            file.write(b".")
        for step in turns[at] if at < len(turns) else []:
            self.do(step)

    def do_kill(self, number):
        self.out.flush()
        os.kill(os.getpid(), number)


def document(path):
    if path is None:
        return None
    with open(path, "rb") as file:
        return json.load(file)


def main():
    parser = argparse.ArgumentParser(description="A connector that does what its configuration says.")
    parser.add_argument("command", choices=["spec", "check", "discover", "read", "write"])
    for name in ("config", "catalog", "state"):
        parser.add_argument(f"--{name}")
    given = parser.parse_args()
    config = document(given.config)
    # A second time, as Airbyte's own kit does: what cannot be opened twice is no way to hand over a configuration.
    config = document(given.config) if config is not None else json.loads(os.environ.get("SCRIPTED", "{}"))
    state = document(given.state)
    state = [state] if isinstance(state, dict) else state
    Scripted(given.command, config, document(given.catalog), state).main()


if __name__ == "__main__":
    main()
