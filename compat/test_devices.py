"""The view of all sessions: what ends in it ends at a real Django on the same database, and what Django ends is not in it."""

import base64
import json

import pytest
from conftest import PASSWORD
from harness.choice import AUTHTOKEN, BLACKLIST, KNOX, Choice

CHOICE = Choice(
    authentication=("token", "jwt", "basic", "knox"),
    installed_apps=(AUTHTOKEN, BLACKLIST, KNOX),
    knox={"AUTH_HEADER_PREFIX": "Knox"},
    sessions={"enabled": True},
)
SESSIONS = "/api/sessions/"
BASIC = "Basic " + base64.b64encode(f"alice:{PASSWORD}".encode()).decode()


@pytest.fixture(scope="module")
def pair(start_pair):
    pair = start_pair(CHOICE)
    result = pair.countersign.run("migrate")
    assert result.returncode == 0, result.stderr
    with pair:
        yield pair


def log_in(server):
    """A session of each kind, by the header to come back with."""
    credentials = {"username": "alice", "password": PASSWORD}
    key = server.post("/api-token-auth/", credentials).json()["token"]
    device = server.send("POST", "/knox/login/", [("Authorization", BASIC)]).json()["token"]
    jwt = server.post("/api/token/", credentials).json()
    return {"token": f"Token {key}", "knox": f"Knox {device}"}, jwt


def sessions(server):
    """What is shown to a password."""
    answer = server.send("GET", SESSIONS, [("Authorization", BASIC)])
    assert answer.status == 200, answer.text
    return answer.json()


def end(server, which, authorization=BASIC):
    """The status of an end."""
    return server.send("DELETE", SESSIONS + which, [("Authorization", authorization)]).status


def test_what_ends_here_ends_at_django(pair):
    """DRF's and Knox's tokens of either server, one by one; a family's refresh token is blacklisted."""
    for minter, _ in pair.directions():
        headers, jwt = log_in(minter)
        if minter is pair.django:
            assert pair.countersign.post("/api/token/refresh/", {"refresh": jwt["refresh"]}).status == 200
        shown = sessions(pair.countersign)
        assert sorted(session["kind"] for session in shown) == ["jwt", "knox", "token"]
        assert {server.whoami(header).status for server in pair.servers for header in headers.values()} == {200}
        for session in shown:
            assert end(pair.countersign, f"{session['id']}/") == 204
            if session["kind"] in headers:
                assert [server.whoami(headers[session["kind"]]).status for server in pair.servers] == [401, 401]
        refused = [server.post("/api/token/refresh/", {"refresh": jwt["refresh"]}) for server in pair.servers]
        assert [answer.status for answer in refused] == [401, 401]
        assert refused[0].json() == refused[1].json()
        assert sessions(pair.countersign) == []


def test_all_end_at_django_too(pair):
    """In one request, but for the one that asks."""
    headers, jwt = log_in(pair.django)
    more, _ = log_in(pair.countersign)
    assert end(pair.countersign, "others/", headers["knox"]) == 204
    assert [server.whoami(headers["knox"]).status for server in pair.servers] == [200, 200]
    for gone in (headers["token"], more["token"], more["knox"]):
        assert [server.whoami(gone).status for server in pair.servers] == [401, 401]
    assert [(session["kind"], session["current"]) for session in sessions(pair.countersign)] == [("knox", False)]
    assert end(pair.countersign, "") == 204
    assert [server.whoami(headers["knox"]).status for server in pair.servers] == [401, 401]


def test_what_django_ends_is_not_shown(pair):
    """Its own logout, and rows that it deletes."""
    headers, _ = log_in(pair.countersign)
    assert pair.django.send("POST", "/knox/logout/", [("Authorization", headers["knox"])]).status == 204
    pair.django.shell("from rest_framework.authtoken.models import Token\nToken.objects.all().delete()\n")
    assert [session["kind"] for session in sessions(pair.countersign)] == ["jwt"]
    assert end(pair.countersign, "") == 204


@pytest.mark.parametrize(
    "deed",
    [
        "user.is_active = False; user.save(); user.is_active = True; user.save()",
        "user.set_password('another password 42'); user.save(); user.password = before; user.save()",
    ],
    ids=["disabled for a while", "another password for a while"],
)
def test_what_django_does_to_a_user_is_not_shown(pair, deed):
    """JSON web tokens of before are ended here, and shown neither to their owner nor to an operator; Django's own tokens live on there."""
    headers, jwt = log_in(pair.countersign)
    pair.django.shell(f"user = User.objects.get(username='alice'); before = user.password; {deed}")
    assert sorted(session["kind"] for session in sessions(pair.countersign)) == ["knox", "token"]
    listed = json.loads(pair.countersign.run("sessions", "list", "--user", "alice", "--json").stdout)
    assert sorted(session["kind"] for session in listed) == ["knox", "token"]
    assert [server.whoami(header).status for server in pair.servers for header in headers.values()] == [200] * 4
    assert pair.countersign.post("/api/token/refresh/", {"refresh": jwt["refresh"]}).status == 401
    log_in(pair.countersign)
    assert sorted(session["kind"] for session in sessions(pair.countersign)) == ["jwt", "knox", "knox", "token"]
    out = pair.countersign.send("POST", "/api/sessions/logout-all/", [("Authorization", headers["knox"])])
    assert (out.status, sessions(pair.countersign)) == (204, [])
    assert [server.whoami(header).status for server in pair.servers for header in headers.values()] == [401] * 4


def test_the_command_line_lists_the_same(pair):
    """For people on a line each, for programs as JSON; a user who is not there is an error."""
    log_in(pair.countersign)
    shown = sessions(pair.countersign)
    listed = pair.countersign.run("sessions", "list", "--user", "alice", "--json")
    assert listed.returncode == 0, listed.stderr
    names = ("id", "kind", "device_name", "user_agent", "address")
    assert [[entry[name] for name in names] for entry in json.loads(listed.stdout)] == [
        [entry[name] for name in names] for entry in shown
    ]
    lines = pair.countersign.run("sessions", "list", "--user", "alice").stdout.splitlines()
    assert [line.split()[:2] for line in lines] == [[entry["id"], entry["kind"]] for entry in shown]
    nobody = pair.countersign.run("sessions", "list", "--user", "nobody")
    assert (nobody.returncode, nobody.stderr) == (1, "CommandError: user 'nobody' does not exist\n")
