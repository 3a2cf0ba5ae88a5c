"""A login in Pyramid, found by traversal. Answers a JSON object with whom it logs in."""

import json

from pyramid.config import Configurator
from pyramid.response import Response


class Login:
    pass


def login(request):
    try:
        phone = request.json_body["phone"]
    except (KeyError, TypeError, ValueError):
        phone = None
    return Response(json.dumps({"json": phone}))


with Configurator(root_factory=lambda request: {"login": Login()}) as config:
    config.add_view(login, context=Login, request_method="POST")
    config.add_notfound_view(lambda request: Response("{}"))
    app = config.make_wsgi_app()
