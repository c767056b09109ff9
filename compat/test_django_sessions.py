"""A browser that has logged in to Django's admin is let in by Countersign, and by nothing less.

Every request is sent to both servers on one database; what Django answers is what must be answered.
Sessions are kept by the engine `db`; `cached_db` writes the same rows.
"""

import re

import pytest
from conftest import PASSWORD
from harness import database
from harness.choice import AUTHTOKEN, BLACKLIST, SESSIONS, Choice
from harness.servers import Countersign, Django

METHODS = ["GET", "POST", "PUT", "DELETE"]
CHOICE = Choice(
    authentication=("session", "token"),
    installed_apps=(AUTHTOKEN, BLACKLIST, SESSIONS),
    protected=(
        {"path": "/protected/", "methods": METHODS},
        {"path": "/open/", "methods": METHODS, "permission": "allow_any"},
    ),
)
FORM = "application/x-www-form-urlencoded"
OLD_SECRET = "an-older-secret-key-0123456789-abcdefghijklmnopqrstuvwxyz-0123456789"


class Browser:
    """Cookies, and a login at Django's admin."""

    def __init__(self, django, username="carol"):
        self.cookies = {}
        page = django.send("GET", "/admin/login/")
        self.keep(page)
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)[1]
        body = f"csrfmiddlewaretoken={token}&username={username}&password={PASSWORD.replace(' ', '+')}&next=/admin/"
        answer = django.send(
            "POST", "/admin/login/", [("Content-Type", FORM), ("Cookie", self.cookie)], body
        )
        assert answer.status == 302, answer.text
        self.keep(answer)
        self.token = self.cookies["csrftoken"]

    def keep(self, answer):
        """Takes the cookies of an answer."""
        for name, value in answer.headers:
            if name == "set-cookie":
                cookie, _, text = value.split(";")[0].partition("=")
                self.cookies[cookie] = text

    @property
    def cookie(self):
        """The Cookie header."""
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items())


@pytest.fixture(scope="module")
def pair(start_pair):
    with start_pair(CHOICE) as pair:
        yield pair


def alike(pair, method, path, headers, body=b"", host="testserver"):
    """Sends a request to both; what both answered."""
    answers = [server.send(method, path, headers, body, host=host) for server in pair.servers]
    django, ours = ((a.status, a.body, a.header("vary"), a.header("www-authenticate")) for a in answers)
    assert ours == django, (method, path, headers, body)
    return answers[0]


def test_b2_a_login_at_djangos_admin_counts_here(pair):
    browser = Browser(pair.django)
    answer = alike(pair, "GET", "/protected/", [("Cookie", browser.cookie)])
    assert answer.json() == {"user_id": pair.id_of("carol"), "username": "carol", "auth": "session"}
    for path in ("/protected/", "/open/"):
        for name in ("", "sessionid=", "sessionid=" + "a" * 32, 'sessionid="' + "a" * 32, "sessionid=short"):
            alike(pair, "GET", path, [("Cookie", name)])


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_b2_the_csrf_check_answers_alike(pair, method):
    browser = Browser(pair.django)
    cookie, session = ("Cookie", browser.cookie), browser.cookies["sessionid"]
    wrong = "w" * 32
    header = ("X-CSRFToken", browser.token)
    seen = set()
    for headers in (
        [cookie],
        [cookie, header],
        [cookie, ("X-CSRFToken", wrong)],
        [cookie, ("X-CSRFToken", wrong[1:])],
        [cookie, ("X-CSRFToken", wrong * 2)],
        [cookie, ("X-CSRFToken", "-" * 32)],
        [cookie, ("X-CSRFToken", "")],
        [cookie, header, ("Origin", "http://testserver")],
        [cookie, header, ("Origin", "https://testserver")],
        [cookie, header, ("Origin", "http://testserver.evil.example")],
        [cookie, header, ("Origin", "null")],
        [cookie, header, ("Origin", "")],
        [cookie, header, ("Referer", "https://evil.example/")],
        [("Cookie", f"sessionid={session}"), header],
        [("Cookie", f"sessionid={session}; csrftoken="), header],
        [("Cookie", f"sessionid={session}; csrftoken={wrong[1:]}"), header],
        [("Cookie", f"sessionid={session}; csrftoken={'-' * 32}"), header],
        [("Cookie", f"csrftoken={wrong}; sessionid={session}; csrftoken={browser.token}"), header],
        [("Cookie", f'sessionid="{session}"; csrftoken="{browser.token}"'), header],
        [("Cookie", "sessionid=unknown0; csrftoken=x"), header],
    ):
        for path in ("/protected/", "/open/"):
            seen.add(alike(pair, method, path, headers).status)
    assert seen == {200, 403}


def test_b2_a_form_brings_its_token_in_its_body(pair):
    browser = Browser(pair.django)
    cookie = ("Cookie", browser.cookie)
    multipart = "multipart/form-data; boundary=XbX"
    part = '--XbX\r\nContent-Disposition: form-data; name="csrfmiddlewaretoken"\r\n\r\n{}\r\n--XbX--\r\n'
    statuses = []
    for kind, body in (
        (FORM, f"csrfmiddlewaretoken={browser.token}"),
        (FORM, f"csrfmiddlewaretoken=x&csrfmiddlewaretoken={browser.token}"),
        (FORM, "csrfmiddlewaretoken=" + "w" * 32),
        (FORM, "csrfmiddlewaretoken="),
        (FORM, "a=b"),
        (multipart, part.format(browser.token)),
        (multipart, part.format("w" * 32)),
        ("application/json", '{"csrfmiddlewaretoken": "' + browser.token + '"}'),
    ):
        for more in ([], [("X-CSRFToken", browser.token)]):
            headers = [cookie, ("Content-Type", kind), *more]
            statuses.append(alike(pair, "POST", "/protected/", headers, body).status)
    assert set(statuses) == {200, 403}


def test_a_password_changed_since_ends_the_session(pair):
    browser = Browser(pair.django)
    cookie = [("Cookie", browser.cookie)]
    assert pair.countersign.send("GET", "/protected/", cookie).status == 200
    old = database.value(pair.database, "SELECT password FROM auth_user WHERE username = ?", "carol")
    database.execute(pair.database, "UPDATE auth_user SET password = ? WHERE username = ?", old + "x", "carol")
    try:
        assert pair.countersign.send("GET", "/protected/", cookie).status == 403
    finally:
        database.execute(pair.database, "UPDATE auth_user SET password = ? WHERE username = ?", old, "carol")
    key = browser.cookies["sessionid"]
    assert database.rows(pair.database, "SELECT 1 FROM django_session WHERE session_key = ?", key) == []
    assert alike(pair, "GET", "/protected/", cookie).status == 403


def test_inactive_expired_and_logged_out_are_nobody(pair):
    browser = Browser(pair.django)
    cookie = [("Cookie", browser.cookie)]
    key = browser.cookies["sessionid"]
    database.execute(pair.database, "UPDATE auth_user SET is_active = ? WHERE username = ?", False, "carol")
    try:
        assert alike(pair, "GET", "/open/", cookie).json()["auth"] is None
    finally:
        database.execute(pair.database, "UPDATE auth_user SET is_active = ? WHERE username = ?", True, "carol")
    assert alike(pair, "GET", "/open/", cookie).json()["auth"] == "session"
    database.execute(
        pair.database, "UPDATE django_session SET expire_date = ? WHERE session_key = ?", "2020-01-01 00:00:00", key
    )
    assert alike(pair, "GET", "/open/", cookie).json()["auth"] is None
    browser = Browser(pair.django)
    body = f"csrfmiddlewaretoken={browser.token}"
    headers = [("Cookie", browser.cookie), ("Content-Type", FORM)]
    assert pair.django.send("POST", "/admin/logout/", headers, body).status == 200
    assert alike(pair, "GET", "/protected/", headers[:1]).status == 403


def test_tampered_sessions_are_empty(pair):
    browser = Browser(pair.django)
    cookie, key = [("Cookie", browser.cookie)], browser.cookies["sessionid"]
    data = database.value(pair.database, "SELECT session_data FROM django_session WHERE session_key = ?", key)

    def store(text):
        database.execute(pair.database, "UPDATE django_session SET session_data = ? WHERE session_key = ?", text, key)

    for changed in (data[1:], data[:-1], data[:5] + chr(ord(data[5]) ^ 1) + data[6:], "", "gASVBQAAAAAAAACMAWGULg=="):
        store(changed)
        assert alike(pair, "GET", "/open/", cookie).json()["auth"] is None, changed
    store(data)
    assert alike(pair, "GET", "/open/", cookie).json()["auth"] == "session"


def test_a_session_of_another_backend_is_nobodys(pair):
    key = pair.django.shell(
        """
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
session = SessionStore()
user = User.objects.get(username="carol")
session[SESSION_KEY], session[BACKEND_SESSION_KEY] = str(user.pk), "some.OtherBackend"
session[HASH_SESSION_KEY] = user.get_session_auth_hash()
session.create()
print(session.session_key)
"""
    ).strip()
    assert alike(pair, "GET", "/protected/", [("Cookie", f"sessionid={key}")]).status == 403


def test_a_rotated_secret_key_keeps_sessions(new_database, folders):
    shared = new_database(CHOICE.installed_apps)
    with Django(CHOICE.but(secret_key=OLD_SECRET), shared, folders()) as before:
        browser = Browser(before)
    cookie = [("Cookie", browser.cookie)]
    with Countersign(CHOICE, shared, folders()) as forgetful:
        assert forgetful.send("GET", "/protected/", cookie).status == 403
    rotated = CHOICE.but(extra={"SECRET_KEY_FALLBACKS": [OLD_SECRET]})
    with Countersign(rotated, shared, folders()) as ours, Django(rotated, shared, folders()) as django:
        assert ours.send("GET", "/protected/", cookie).status == 200
        answer = django.send("GET", "/protected/", cookie)
        assert answer.status == 200
        browser.keep(answer)  # Django gives such a session a new key
        assert ours.send("GET", "/protected/", [("Cookie", browser.cookie)]).status == 200
        assert ours.send("GET", "/protected/", cookie).status == 403
    shared.drop()


@pytest.mark.parametrize("in_session", [False, True], ids=["cookie", "session"])
def test_b2_names_and_places_are_those_of_the_settings(start_pair, in_session):
    extra = {
        "SESSION_COOKIE_NAME": "sid",
        "CSRF_COOKIE_NAME": "xsrf",
        "CSRF_HEADER_NAME": "HTTP_X_MY_TOKEN",
        "CSRF_TRUSTED_ORIGINS": ["https://app.example", "https://*.example.org"],
        "CSRF_USE_SESSIONS": in_session,
        "ALLOWED_HOSTS": [".example.com", "testserver"],
    }
    with start_pair(CHOICE.but(extra=extra)) as pair:
        django = pair.django
        page = django.send("GET", "/admin/login/")
        cookies = {}

        def keep(answer):
            for name, value in answer.headers:
                if name == "set-cookie":
                    cookie, _, text = value.split(";")[0].partition("=")
                    cookies[cookie] = text

        def cookie():
            return ("Cookie", "; ".join(f"{name}={value}" for name, value in cookies.items()))

        keep(page)
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)[1]
        body = f"csrfmiddlewaretoken={token}&username=carol&password=correct+horse"
        answer = django.send("POST", "/admin/login/?next=/admin/", [("Content-Type", FORM), cookie()], body)
        assert answer.status == 302
        keep(answer)
        page = django.send("GET", "/admin/", [cookie()])
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)[1]
        header = ("X-My-Token", token)
        assert alike(pair, "POST", "/protected/", [cookie(), header]).status == 200
        assert alike(pair, "POST", "/protected/", [cookie(), ("X-CSRFToken", token)]).status == 403
        assert alike(pair, "POST", "/protected/", [cookie(), ("X-My-Token", "w" * 32)]).status == 403
        for origin in (
            "https://app.example", "http://app.example", "https://a.example.org", "https://example.org",
            "https://badexample.org", "https://app.example:8443",
        ):  # fmt: skip
            alike(pair, "POST", "/protected/", [cookie(), header, ("Origin", origin)])
        host = "www.example.com"
        alike(pair, "POST", "/protected/", [cookie(), header, ("Origin", f"http://{host}")], host=host)
