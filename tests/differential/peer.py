"""Reads bodies as Python applications do. One question a line, one answer a line: see peers.rs."""

import base64
import json
import sys
import urllib.parse


def part(value):
    if value is None:
        return None
    if isinstance(value, str):
        return base64.b64encode(value.encode("utf-8", "surrogatepass")).decode()
    if isinstance(value, int) and not isinstance(value, bool):
        return base64.b64encode(str(value).encode()).decode()
    return {"other": ascii(value)[:80]}


def member(document, path):
    for name in path.split("/"):
        document = document.get(name) if isinstance(document, dict) else None
    return document


def one(form, name):
    values = form.get(name, [])
    return values[0] if len(values) == 1 else values or None


def parts(document, names, read):
    if not isinstance(document, dict):
        return None
    return [part(read(document, name)) for name in names]


def attempt(read):
    try:
        return read()
    except (ValueError, RecursionError):
        return None


def answer(kind, body, names):
    if kind == "json":
        return {"json": attempt(lambda: parts(json.loads(body), names, member))}
    return {
        "parse_qs": attempt(
            lambda: parts(urllib.parse.parse_qs(body.decode(), keep_blank_values=True), names, one)
        )
    }


print(json.dumps("Python " + sys.version.split()[0]), flush=True)
for line in sys.stdin:
    kind, body, *names = line.split()
    print(json.dumps(answer(kind, base64.b64decode(body[1:]), names)), flush=True)
