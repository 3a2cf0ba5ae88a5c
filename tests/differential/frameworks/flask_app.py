"""A login in Flask, read in every way that Flask offers. Answers a JSON object: by the name of each reader, whom it logs in."""

import json
import urllib.parse

import flask
import werkzeug.exceptions

app = flask.Flask("login")
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


def forced():
    return flask.request.get_json(force=True)


def wrapped():
    """As Rails wraps the parameters of JSON in the name of the controller, if a client has not done it already."""
    document = flask.request.get_json()
    return document["session"] if "session" in document else document


READERS = {
    "form": lambda: flask.request.form,
    "json": lambda: flask.request.get_json(),
    "json of any type": forced,
    "wrapped json": wrapped,
    "values": lambda: flask.request.values,
    "form of any type": lambda: dict(urllib.parse.parse_qsl(flask.request.get_data().decode("latin-1"))),
}


def called(arguments):
    """Of a path that several calls share: whom a login logs in."""
    return arguments if arguments["method"] == "login" else {}


READERS |= {
    "call in json": lambda: called(forced()),
    "call in values": lambda: called(flask.request.values),
    "call in any form": lambda: called(READERS["form of any type"]()),
}


def who(read):
    try:
        return str(read()["phone"])
    except (KeyError, TypeError, ValueError, werkzeug.exceptions.HTTPException):
        return None


@app.route("/login", methods=METHODS)
def login():
    flask.request.get_data(cache=True)
    return json.dumps({name: who(read) for name, read in READERS.items()})


@app.route("/", methods=METHODS)
@app.route("/<path:rest>", methods=METHODS)
def other(rest=""):
    return json.dumps({})
