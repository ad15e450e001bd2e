"""What the scripted connector does as a destination; see `scripted.py`."""

import json
import os
import sys


class Destination:
    """What `write` does with the lines on stdin."""

    def __init__(self, connector):
        self.connector = connector
        self.setup = connector.config.get("write", {})
        self.steps = [tuple(entry) for entry in self.setup.get("at", [])]
        self.counts, self.held, self.records = {}, [], 0

    def run(self):
        with open(self.setup.get("file", os.devnull), "wb" if self.empties() else "ab") as file:
            self.file = file
            for line in sys.stdin.buffer:
                self.take(line)
            self.commit()
        for message in self.held:
            self.connector.say(message)
        for step in self.setup.get("end", []):
            self.connector.do(step)

    def empties(self):
        streams = self.connector.configured["streams"] if self.connector.configured else []
        return any(s["destination_sync_mode"] == "overwrite" or s.get("minimum_generation_id") for s in streams)

    def take(self, line):
        message = json.loads(line)
        if message["type"] == "RECORD":
            self.record(message["record"], line)
        elif message["type"] == "STATE":
            self.state(message)

    def record(self, record, line):
        key = (record["stream"], record.get("namespace"))
        self.counts[key] = self.counts.get(key, 0) + 1
        self.records += 1
        self.file.write(line)
        for at, step in self.steps:
            if at == self.records:
                self.connector.do(step)

    def commit(self):
        self.file.flush()
        if self.file.name != os.devnull:
            os.fsync(self.file.fileno())

    def state(self, message):
        self.commit()
        if self.setup.get("swallow"):
            return
        if self.setup.get("stats", True):
            count = self.count(message["state"]) + self.setup.get("lie", 0)
            message["state"]["destinationStats"] = {"recordCount": float(count)}
        if self.setup.get("hold"):
            self.held.append(message)
        else:
            self.connector.say(message)
            self.connector.out.flush()

    def count(self, state):
        """How many records this state covers, forgetting them."""
        if state.get("type") == "STREAM":
            name = state["stream"]["stream_descriptor"]
            return self.counts.pop((name["name"], name.get("namespace")), 0)
        total = sum(self.counts.values())
        self.counts.clear()
        return total
