"""Reads bodies as Python applications do. One question a line, one answer a line: see peers.rs."""

import base64
import json
import re
import sys
import urllib.parse
from importlib.metadata import version

import django
import flask
import werkzeug
from django.conf import settings
from django.http import QueryDict
from django.test import RequestFactory

settings.configure(DEBUG=False, SECRET_KEY="test", ALLOWED_HOSTS=["*"])
django.setup()
factory = RequestFactory()
application = flask.Flask("peer")


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


def several(values):
    return values[0] if len(values) == 1 else values or None


def last(path):
    return path.rsplit("/", 1)[-1]


def parts(document, names, read=member):
    if not isinstance(document, dict):
        return None
    return [part(read(document, name)) for name in names]


def flat(form, names):
    """A form without nesting: a field goes by the last name on its way."""
    return [part(several(list(form(last(name))))) for name in names]


def bound(pairs, names):
    """As model binding and Rails bind a phone: by the last part of its name. A token elsewhere identifies no person."""
    phone = last(names[1])
    found = [value for key, value in pairs if re.split(r"[.\[:]", key)[-1].rstrip("]").lower() == phone]
    return [None, part(several(sorted(set(found))))]


def members(document):
    if isinstance(document, dict):
        yield from document.items()
        document = document.values()
    if isinstance(document, (dict, list)) or hasattr(document, "__iter__") and not isinstance(document, str):
        for inner in document:
            yield from members(inner)


def anywhere(document, names):
    """As a parameter wrapper reads a phone: from whatever object has the name."""
    phone = last(names[1])
    found = {str(value) for key, value in members(document) if key.lower() == phone and value is not None}
    return [None, part(several(sorted(found)))]


def attempt(read):
    try:
        return read()
    except (ValueError, RecursionError):
        return None


def of_flask(content_type, body, names):
    headers = {"Content-Type": content_type} if content_type else {}
    with application.test_request_context("/login", method="POST", data=body, headers=headers):
        request = flask.request
        data = request.get_data(cache=True)
        try:
            forced = parts(request.get_json(force=True), names)
            believed = parts(request.get_json(silent=True), names)
        except werkzeug.exceptions.HTTPException:
            forced = believed = None
        try:
            form = flat(request.form.getlist, names)
        except (ValueError, werkzeug.exceptions.HTTPException):
            form = None
        pairs = list(request.form.items(multi=True))
        assert data == body
    return {
        "Flask get_json(force)": forced,
        "Flask get_json": believed,
        "Flask form": form,
        "last segment of a form": bound(pairs, names),
    }


def of_django(content_type, body, names):
    request = factory.generic("POST", "/login", body, content_type=content_type or "")
    data = request.body
    assert data == body
    try:
        read = flat(request.POST.getlist, names)
    except Exception:  # Django refuses a request by many exceptions.
        read = None
    return {"Django POST": read}


def answer(content_type, body, names):
    document = attempt(lambda: json.loads(body))
    return {
        "json": parts(document, names),
        "any object of json": anywhere(document, names) if isinstance(document, (dict, list)) else None,
        "parse_qs": attempt(
            lambda: flat(lambda name: urllib.parse.parse_qs(body.decode(), keep_blank_values=True).get(name, []), names)
        ),
        "Django QueryDict": attempt(lambda: flat(QueryDict(body, mutable=False).getlist, names)),
        **of_flask(content_type, body, names),
        **of_django(content_type, body, names),
    }


print(
    json.dumps(f"Python {sys.version.split()[0]}, Flask {version('flask')}, Django {django.__version__}"),
    flush=True,
)
for line in sys.stdin:
    content_type, body, *names = line.split()
    content_type, body = (base64.b64decode(text[1:]) for text in (content_type, body))
    print(json.dumps(answer(content_type.decode("latin-1"), body, names)), flush=True)
