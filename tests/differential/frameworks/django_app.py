"""A login in Django, read in every way that Django offers. Views take every method."""

import json
import urllib.parse

import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import JsonResponse
from django.urls import path, re_path

settings.configure(
    DEBUG=False, SECRET_KEY="test", ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, APPEND_SLASH=True, MIDDLEWARE=[]
)
django.setup()

READERS = {
    "POST": lambda request: request.POST,
    "GET": lambda request: request.GET,
    "json of any type": lambda request: json.loads(request.body),
    "form of any type": lambda request: dict(urllib.parse.parse_qsl(request.body.decode("latin-1"))),
    "cookie": lambda request: request.COOKIES,
}


def who(read, request):
    try:
        return str(read(request)["phone"])
    except (KeyError, TypeError, ValueError):
        return None


def login(request):
    request.body
    return JsonResponse({name: who(read, request) for name, read in READERS.items()})


def other(request):
    return JsonResponse({})


urlpatterns = [path("login", login), path("login/", login), re_path("", other)]
app = get_wsgi_application()
