"""Runs `flask_app`, `django_app` or `pyramid_app` under gunicorn with its usual settings. Prints its port; ends when its input does."""

import importlib
import os
import signal
import sys
import threading

from gunicorn.app.base import BaseApplication


class Server(BaseApplication):
    def load_config(self):
        self.cfg.set("bind", "127.0.0.1:0")
        self.cfg.set("workers", 1)
        self.cfg.set("loglevel", "critical")
        self.cfg.set("graceful_timeout", 1)
        self.cfg.set("when_ready", ready)

    def load(self):
        return importlib.import_module(sys.argv[1]).app


def ready(arbiter):
    print(arbiter.LISTENERS[0].sock.getsockname()[1], flush=True)
    threading.Thread(target=watch, daemon=True).start()


def watch():
    sys.stdin.buffer.read()
    os.kill(os.getpid(), signal.SIGQUIT)


Server().run()
