"""The schemas and records of the scripted connector: number i of a stream is always the same."""

import base64
import random
import time

START = 1_700_000_000


def fields_of(stream):
    return stream.get("fields", {"id": "integer", "name": "string"})


def schema_of(fields):
    types = {"timestamp": {"type": ["null", "string"], "format": "date-time"}}
    properties = {name: types.get(kind, {"type": ["null", kind]}) for name, kind in fields.items()}
    return {"type": "object", "properties": properties}


def data_of(stream, name, number):
    fields = fields_of(stream) if "schema" not in stream else kinds_of(stream["schema"])
    data = {field: value_of(kind, f"{name} {number + 1}", number) for field, kind in fields.items()}
    for field, values in stream.get("values", {}).items():
        data[field] = values[number % len(values)]
    if "noise" in stream:
        data["name"] = base64.b64encode(random.Random(number).randbytes(stream["noise"] * 3 // 4)).decode()
    if "pad" in stream:
        data["pad"] = "x" * stream["pad"]
    return data


def kinds_of(schema):
    kinds = {}
    for name, part in schema.get("properties", {}).items():
        found = part.get("type", "string")
        kinds[name] = next((kind for kind in found if kind != "null"), "string") if isinstance(found, list) else found
    return kinds


def value_of(kind, text, number):
    if kind == "timestamp":
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(START + number))
    values = {"integer": number + 1, "number": number + 0.5, "boolean": number % 2 == 0, "string": text}
    return values.get(kind, {"number": number, "text": text} if kind == "object" else [number, number + 1])
