"""Knox's tokens: what one server gives, the other takes, ends and counts, on one database."""

import base64
from datetime import timedelta

import pytest
from conftest import PASSWORD
from harness import database
from harness.choice import AUTHTOKEN, BLACKLIST, KNOX, Choice

CHOICE = Choice(authentication=("basic", "knox"), installed_apps=(AUTHTOKEN, BLACKLIST, KNOX))
LOGIN, LOGOUT, LOGOUT_ALL = "/knox/login/", "/knox/logout/", "/knox/logoutall/"


def basic(username="alice"):
    """Basic credentials of a user."""
    return ("Authorization", "Basic " + base64.b64encode(f"{username}:{PASSWORD}".encode()).decode())


def login(server, username="alice"):
    """The answer to a login."""
    return server.send("POST", LOGIN, [basic(username)])


def token(server, username="alice"):
    """A new token."""
    answer = login(server, username)
    assert answer.status == 200, answer.text
    return answer.json()["token"]


def status(server, shown, keyword="Token"):
    """Whether a token is accepted."""
    return server.whoami(f"{keyword} {shown}").status


def shape(answer):
    """An answer without what is random in it."""
    headers = [answer.header(name) for name in ("content-type", "allow", "vary", "www-authenticate")]
    body = answer.text
    if answer.status == 200 and answer.body:
        members = answer.json()
        assert len(members["token"]) >= 32
        body = [(name, None if name in ("token", "expiry") else value) for name, value in members.items()]
    return answer.status, headers, body


@pytest.fixture(scope="module")
def pair(start_pair):
    with start_pair(CHOICE) as pair:
        yield pair


def test_o5_a_token_of_either_is_good_at_both_until_either_ends_it(pair):
    for minter, reader in pair.directions():
        one, two, three = token(minter), token(minter), token(reader)
        assert {status(server, shown) for server in pair.servers for shown in (one, two, three)} == {200}
        answer = reader.send("POST", LOGOUT, [("Authorization", f"Token {one}")])
        assert (answer.status, answer.body) == (204, b"")
        assert [status(server, one) for server in pair.servers] == [401, 401]
        assert [status(server, two) for server in pair.servers] == [200, 200]
        assert reader.send("POST", LOGOUT_ALL, [("Authorization", f"Token {two}")]).status == 204
        assert {status(server, shown) for server in pair.servers for shown in (two, three)} == {401}
    assert database.rows(pair.database, "SELECT 1 FROM knox_authtoken") == []


def test_o5_rows_are_alike(pair):
    for server in pair.servers:
        shown = token(server)
        row = database.one(pair.database, "SELECT * FROM knox_authtoken")
        printed = pair.django.shell(
            "from knox.crypto import hash_token\nfrom knox.models import AuthToken\n"
            "found = AuthToken.objects.get()\n"
            "print(found.digest == hash_token(shown), found.token_key == shown[:15], found.user.username,"
            " (found.expiry - found.created).total_seconds())",
            shown=shown,
        ).split()
        assert printed[:3] == ["True", "True", "alice"] and abs(float(printed[3]) - 36000) < 0.1, printed
        assert shown not in str(row)
        last_login = database.value(pair.database, "SELECT last_login FROM auth_user WHERE username = ?", "alice")
        assert last_login is not None
        database.execute(pair.database, "UPDATE auth_user SET last_login = NULL")
        assert server.send("POST", LOGOUT, [("Authorization", f"Token {shown}")]).status == 204


def test_o5_answers_are_alike(pair):
    good = token(pair.django)
    cases = [
        (method, path, headers)
        for path in (LOGIN, LOGOUT, LOGOUT_ALL, "/api/whoami/")
        for method in ("GET", "POST", "PUT", "HEAD")
        for headers in (
            [],
            [("Authorization", "Token")],
            [("Authorization", "Token a b")],
            [("Authorization", "Token unknown")],
            [("Authorization", f"Token {good[:-1]}")],
            [("Authorization", f"Token {good[:15]}")],
            [("Authorization", f"Token {good} x")],
            [("Authorization", f"Bearer {good}")],
            [("Authorization", "Basic eDp5")],
        )
    ]
    for method, path, headers in cases:
        django, ours = (shape(server.send(method, path, headers)) for server in pair.servers)
        assert ours == django, (method, path, headers)
    django, ours = (shape(login(server)) for server in pair.servers)
    assert ours == django
    for path in (LOGOUT, LOGOUT_ALL):
        django, ours = (
            shape(server.send("POST", path, [("Authorization", f"tOKEN {token(server)}")])) for server in pair.servers
        )
        assert ours == django, path


def test_o5_inactive_users_are_refused_alike(pair):
    shown = token(pair.django, "carol")
    database.execute(pair.database, "UPDATE auth_user SET is_active = ? WHERE username = ?", False, "carol")
    try:
        django, ours = (shape(server.whoami(f"Token {shown}")) for server in pair.servers)
    finally:
        database.execute(pair.database, "UPDATE auth_user SET is_active = ? WHERE username = ?", True, "carol")
    assert ours == django and ours[0] == 401


def test_o5_an_expired_token_is_refused_and_deleted_by_both(pair):
    for server in pair.servers:
        database.execute(pair.database, "DELETE FROM knox_authtoken")
        old, other, live = token(server), token(server), token(server)
        for shown in (old, other):
            database.execute(
                pair.database, "UPDATE knox_authtoken SET expiry = ? WHERE token_key = ?", "2020-01-01 00:00:00", shown[:15]
            )
        assert status(server, old) == 401
        assert len(database.rows(pair.database, "SELECT 1 FROM knox_authtoken")) == 1
        assert status(server, live) == 200


SETTINGS = {
    "limit": {"TOKEN_LIMIT_PER_USER": 2},
    "never": {"TOKEN_TTL": None},
    "shown": {
        "AUTH_HEADER_PREFIX": "Knox",
        "EXPIRY_DATETIME_FORMAT": "%d.%m.%Y %H",
        "TOKEN_PREFIX": "kx_",
        "AUTH_TOKEN_CHARACTER_LENGTH": 40,
        "USER_SERIALIZER": "knox.serializers.UserSerializer",
    },
    "sha256": {"SECURE_HASH_ALGORITHM": "hashlib.sha256"},
}


@pytest.mark.parametrize("setting", SETTINGS)
def test_o5_settings_mean_the_same(start_pair, setting):
    choice = CHOICE.but(knox=SETTINGS[setting])
    keyword = choice.knox.get("AUTH_HEADER_PREFIX", "Token")
    with start_pair(choice) as pair:
        for minter, reader in pair.directions():
            shown = token(minter)
            assert status(reader, shown, keyword) == 200
            if keyword != "Token":
                assert shown.startswith("kx_") and len(shown) == 43
                assert [status(server, shown) for server in pair.servers] == [401, 401]
                bodies = [login(server).json() for server in pair.servers]
                assert bodies[0]["expiry"] == bodies[1]["expiry"] and bodies[0]["user"] == bodies[1]["user"]
        django, ours = (shape(login(server)) for server in pair.servers)
        assert ours == django
        assert ours[0] == (403 if setting == "limit" else 200)


@pytest.mark.parametrize("cap", [None, timedelta(minutes=30)], ids=["uncapped", "capped"])
def test_o5_use_moves_the_end_alike(start_pair, cap):
    choice = CHOICE.but(
        knox={"TOKEN_TTL": timedelta(minutes=20), "AUTO_REFRESH": True, "AUTO_REFRESH_MAX_TTL": cap, "MIN_REFRESH_INTERVAL": 60}
    )
    with start_pair(choice) as pair:
        for age, left in ((0, 20), (5, 15), (15, 5), (25, 19), (29, 1)):
            ends = []
            for server in pair.servers:
                shown = token(server)
                ends.append(
                    pair.django.shell(
                        """
from datetime import timedelta
from django.utils import timezone
from knox.models import AuthToken
now = timezone.now()
AuthToken.objects.filter(token_key=shown[:15]).update(created=now - timedelta(minutes=age), expiry=now + timedelta(minutes=left))
print(now.timestamp())
""",
                        shown=shown, age=age, left=left,
                    )  # fmt: skip
                )
                assert status(server, shown) == 200
                ends[-1] = float(
                    pair.django.shell(
                        "from knox.models import AuthToken\n"
                        "print(AuthToken.objects.get(token_key=shown[:15]).expiry.timestamp() - since)",
                        shown=shown, since=float(ends[-1]),
                    )  # fmt: skip
                )
            assert abs(ends[0] - ends[1]) < 3, (age, left, ends)
