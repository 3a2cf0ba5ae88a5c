"""Runs a script with a clock of PyJWT that is so many seconds ahead.

Usage: seconds_later.py SECONDS SCRIPT ARGUMENTS...
"""

import datetime
import runpy
import sys

import jwt.api_jwt

LATER = datetime.timedelta(seconds=int(sys.argv[1]))


class Clock(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return datetime.datetime.now(tz) + LATER


jwt.api_jwt.datetime = Clock
sys.argv = sys.argv[2:]
runpy.run_path(sys.argv[0], run_name="__main__")
