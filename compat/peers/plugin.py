"""A pytest plugin that runs a peer's own tests with Countersign as their server.

    PEER=simplejwt PEER_DATABASE=url PEER_FOLDER=folder pytest -p peers.plugin --noconftest -c FILE …

The tests run as they are: they create users and mint tokens with Django, in this process, on a database that both share, and what they
send with DRF's test client goes to `countersign serve`. It has the settings that Django has at that moment: whoever
overrides one, or stops the clock, is asked by a server with the other setting, or one whose clock stands (libfaketime).

Writes `results.json`: by test how it ended and how often it asked the server.
"""

import glob
import http.client
import json
import os
from pathlib import Path
from unittest.mock import Mock
from urllib.parse import quote

import pytest
from harness.servers import Countersign

from .suites import SUITES, settings

SUITE = SUITES[os.environ["PEER"]]
FOLDER = Path(os.environ["PEER_FOLDER"])


class Frozen(Countersign):
    """Countersign, whose clock stands still at a moment unless that is None."""

    moment = None

    def environment(self):
        """With libfaketime, for the wall clock alone."""
        if self.moment is None:
            return super().environment()
        (library,) = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
        return super().environment() | {
            "LD_PRELOAD": library, "FAKETIME": self.moment, "TZ": "UTC",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1",
        }  # fmt: skip


class Remote:
    """Answers in place of Django's request handler."""

    def __init__(self, database):
        self.database, self.server, self.wanted, self.asked = database, None, None, 0

    def __call__(self, handler, environ):
        """The answer to a WSGI request, as the test client wants it."""
        from django.core.handlers.wsgi import WSGIRequest
        from django.http import HttpResponse

        self.asked += 1
        self._serve()
        headers = {
            name[5:].replace("_", "-"): value for name, value in environ.items() if name.startswith("HTTP_") and value
        }
        if environ.get("CONTENT_TYPE"):
            headers["Content-Type"] = environ["CONTENT_TYPE"]
        if not handler.enforce_csrf_checks:
            # What the test client asks of Django by a flag on the request, a browser does by sending the token along.
            token = "t" * 32
            headers["X-CSRFToken"] = token
            headers["COOKIE"] = "; ".join(filter(None, (headers.get("COOKIE"), f"csrftoken={token}")))
        target = quote(environ["PATH_INFO"].encode("latin-1"))
        if environ.get("QUERY_STRING"):
            target += f"?{environ['QUERY_STRING']}"
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=60)
        connection.request(environ["REQUEST_METHOD"], target, body, headers)
        answer = connection.getresponse()
        content, kept = answer.read(), {}
        for name, value in answer.getheaders():
            kept.setdefault(name, value)
        connection.close()
        response = HttpResponse(content, status=answer.status, headers=kept)
        is_json = answer.headers.get_content_type() == "application/json"
        response.data = json.loads(content) if content and is_json else None
        response.wsgi_request = WSGIRequest(environ)
        return response

    def _serve(self):
        """Starts the server, or another one if the settings or the time are others now."""
        from django.conf import settings as django
        from rest_framework_simplejwt.settings import api_settings
        from rest_framework_simplejwt.tokens import AccessToken

        # Without any settings of its own it shows DRF's as the user's.
        jwt = settings(api_settings.user_settings) if django.SIMPLE_JWT else {}
        if AccessToken.lifetime != api_settings.ACCESS_TOKEN_LIFETIME:
            jwt["ACCESS_TOKEN_LIFETIME"] = AccessToken.lifetime
        choice = SUITE.choice.but(simple_jwt=jwt, knox=settings(_changed_knox(django)))
        paths = "".join(f"{name} = {json.dumps(path)}\n" for name, path in SUITE.paths.items())
        wanted = f"{choice.countersign(self.database)}\n[paths]\n{paths}", _moment()
        if wanted == self.wanted:
            return
        self.stop()
        self.server = Frozen(choice, self.database, FOLDER, text=wanted[0])
        self.server.moment = wanted[1]
        self.server.start()
        self.wanted = wanted

    def stop(self):
        """Stops what runs."""
        if self.server is not None:
            self.server.stop()
        self.server = self.wanted = None


def _changed_knox(django):
    """What a test overrides of Knox's settings: it writes all of them."""
    from knox.settings import DEFAULTS

    return {
        name: value for name, value in getattr(django, "REST_KNOX", {}).items() if value != DEFAULTS.get(name, Mock())
    }


def _moment():
    """The time that the test believes it is, if it stopped the clock."""
    from freezegun.api import freeze_factories

    if not freeze_factories:
        return None
    return freeze_factories[-1]().strftime("%Y-%m-%d %H:%M:%S")


class Plugin:
    """The hooks."""

    def __init__(self, remote):
        self.remote, self.results = remote, {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item):
        """Counts what a test asks."""
        self.remote.asked = 0
        return (yield)

    def pytest_runtest_logreport(self, report):
        """Keeps how a test ended; the worst of its phases counts."""
        name = report.nodeid.split("::", 1)[1]
        ended, asked, why = self.results.get(name, ("passed", 0, ""))
        if report.when == "call":
            asked = self.remote.asked
        if report.outcome != "passed":
            ended, why = report.outcome, str(report.longrepr)[-3000:]
        self.results[name] = (ended, asked, why)

    def pytest_sessionfinish(self):
        """Writes the results."""
        self.remote.stop()
        (FOLDER / "results.json").write_text(json.dumps(self.results))


def pytest_configure(config):
    """Sets Django up before any test is imported: on the shared database, and without the transactions round tests that nobody else
    would see the inside of."""
    from django import test

    test.TestCase = test.testcases.TestCase = test.TransactionTestCase
    import django
    from django.db.backends.postgresql.operations import DatabaseOperations

    # A TRUNCATE of the users ends everything, tokens that the next test makes in the same second included.
    DatabaseOperations.sql_flush = lambda operations, style, tables, **_: [
        f"DELETE FROM {operations.quote_name(table)}" for table in tables
    ]
    django.setup()
    from django.conf import settings as project
    from django.core.management import call_command
    from django.test.utils import setup_test_environment
    from rest_framework.test import ForceAuthClientHandler

    project.ROOT_URLCONF = SUITE.urls
    setup_test_environment()
    call_command("migrate", verbosity=0)
    database = _Database(os.environ["PEER_DATABASE"])
    migrated = Countersign(SUITE.choice, database, FOLDER).run("migrate")
    assert migrated.returncode == 0, migrated.stderr
    remote = Remote(database)
    ForceAuthClientHandler.__call__ = lambda handler, environ: remote(handler, environ)
    config.pluginmanager.register(Plugin(remote))


class _Database:
    """What a configuration says of the database."""

    folder = FOLDER

    def __init__(self, url):
        self.url = url
