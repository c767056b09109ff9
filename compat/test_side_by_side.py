"""A deployment as it is meant: nginx sends the authentication paths to Countersign and the rest to Django.

All of it runs on one PostgreSQL. Clients see one site; administrators work at Django, and take the
routes back and forth while clients are at it.
"""

import itertools
import json

import pytest
from conftest import PASSWORD
from harness import database, scripts
from harness.choice import Choice
from harness.nginx import Nginx, route, upstream
from harness.postgres import PostgresStages
from harness.scripts import BLACKLIST, KEY, PAIR, REFRESH, WHOAMI, is_blacklisted
from harness.servers import Countersign, Django
from harness.traffic import Traffic
from harness.wire import compose, exchange

AUTHENTICATION = (KEY, PAIR)  # and what is below them
CHOICE = Choice(
    simple_jwt={
        "ROTATE_REFRESH_TOKENS": True,
        "BLACKLIST_AFTER_ROTATION": True,
        "CHECK_REVOKE_TOKEN": True,
        "UPDATE_LAST_LOGIN": True,
    }
)
AMOUNT = 400  # requests that each side of a switch has to see


class Site:
    """PostgreSQL, Django, Countersign, and nginx in front."""

    def __init__(self, shared, folder):
        self.database = shared
        self.django = Django(CHOICE, shared, folder / "django", workers=2)
        self.countersign = Countersign(CHOICE, shared, folder / "countersign")
        self.nginx = Nginx(folder / "nginx")

    def __enter__(self):
        self.django.start()
        self.countersign.start()
        self.nginx.start(self.upstreams(), self.routes("countersign"))
        return self

    def __exit__(self, *_):
        for server in (self.nginx, self.countersign, self.django):
            server.stop()

    def upstreams(self):
        """Both servers."""
        return [upstream("django", self.django), upstream("countersign", self.countersign)]

    @staticmethod
    def routes(authentication):
        """Locations, with the authentication paths going to one server or the other."""
        return [*(route(path, authentication) for path in AUTHENTICATION), route("/", "django")]

    def switch(self, authentication):
        """Sends the authentication paths to a server, without stopping anything."""
        self.nginx.reload(self.upstreams(), self.routes(authentication))

    def post(self, path, body):
        """A POST through nginx."""
        raw = compose("POST", path, [("Content-Type", "application/json")], json.dumps(body))
        return exchange(self.nginx.port, raw, "POST")

    def who(self, authorization):
        """Django's own view through nginx."""
        return exchange(self.nginx.port, compose("GET", WHOAMI, [("Authorization", authorization)]))

    def everywhere(self, authorization):
        """(status, body) of the protected views of both servers, which have to agree."""
        answers = [self.who(authorization), self.countersign.whoami(authorization)]
        assert [answer.header("x-served-by") for answer in answers] == ["django", None]
        told = [(answer.status, answer.json()) for answer in answers]
        assert told[0] == told[1]
        return told[0]

    def log_in(self, name, password=PASSWORD):
        """The pair from the login view."""
        return self.post(PAIR, {"username": name, "password": password})


@pytest.fixture(scope="module")
def site(templates, users, folders):
    stages = PostgresStages()
    folder = folders()
    shared = stages.copy(templates("postgres", CHOICE.installed_apps), folder)
    people = [{"username": f"client{number}", "password": users[0]["password"]} for number in range(8)]
    database.add_users(shared, [*users, *people])
    try:
        with Site(shared, folder) as site:
            yield site
    finally:
        stages.close()


def ok(answer):
    """The body of a 200."""
    assert answer.status == 200, (answer.status, answer.text)
    return answer.json()


def test_a_visit(site):
    """Log in, use Django's own views, refresh, log out: one site to the client."""
    login = site.log_in("alice")
    assert login.header("x-served-by") == "countersign"
    pair = ok(login)
    key = ok(site.post(KEY, {"username": "alice", "password": PASSWORD}))["token"]
    for authorization in (f"Bearer {pair['access']}", f"Token {key}"):
        assert site.everywhere(authorization)[1]["username"] == "alice"
    renewed = ok(site.post(REFRESH, {"refresh": pair["refresh"]}))
    assert site.everywhere(f"Bearer {renewed['access']}")[0] == 200
    assert is_blacklisted(site.post(REFRESH, {"refresh": pair["refresh"]}))
    assert ok(site.post(BLACKLIST, {"refresh": renewed["refresh"]})) == {}
    for server in (site.countersign, site.django):
        assert is_blacklisted(server.post(REFRESH, {"refresh": renewed["refresh"]}))
    assert site.who("").status == 401
    admin = exchange(site.nginx.port, compose("GET", "/nothing-of-countersigns/"))
    assert (admin.status, admin.header("x-served-by")) == (404, "django")


def test_a_user_disabled_at_django(site):
    """The next request of a disabled user is refused at both, whatever it presents; the next after that is not."""
    pair = ok(site.log_in("client0"))
    key = ok(site.post(KEY, {"username": "client0", "password": PASSWORD}))["token"]
    change = "user = User.objects.get(username='client0')\nuser.is_active = active\nuser.save()\n"
    site.django.shell(change, active=False)
    assert site.everywhere(f"Token {key}") == (401, {"detail": "User inactive or deleted."})
    assert site.everywhere(f"Bearer {pair['access']}") == (401, {"detail": "User is inactive", "code": "user_inactive"})
    assert site.log_in("client0").status == 401
    assert site.post(KEY, {"username": "client0", "password": PASSWORD}).status == 400
    for server in (site.countersign, site.django):
        assert server.post(REFRESH, {"refresh": pair["refresh"]}).status == 401
    site.django.shell(change, active=True)
    assert site.everywhere(f"Token {key}")[0] == site.everywhere(f"Bearer {pair['access']}")[0] == 200
    ok(site.post(REFRESH, {"refresh": pair["refresh"]}))


def test_a_password_changed_at_django(site):
    """The new password counts at once, and voids the access tokens at both."""
    pair = ok(site.log_in("client1"))
    site.django.shell("user = User.objects.get(username='client1')\nuser.set_password('another one')\nuser.save()\n")
    assert site.log_in("client1").status == 401
    fresh = ok(site.log_in("client1", "another one"))
    assert site.everywhere(f"Bearer {fresh['access']}")[0] == 200
    assert site.everywhere(f"Bearer {pair['access']}")[1]["code"] == "password_changed"
    assert site.post(REFRESH, {"refresh": pair["refresh"]}).status == 401


def test_tokens_taken_away_at_django(site):
    """A key deleted and a refresh token blacklisted with Django's models, as the admin does, are gone at both."""
    pair = ok(site.log_in("client2"))
    key = ok(site.post(KEY, {"username": "client2", "password": PASSWORD}))["token"]
    site.django.shell(
        "from rest_framework.authtoken.models import Token\n"
        "from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken\n"
        "Token.objects.get(key=key).delete()\n"
        "BlacklistedToken.objects.create(token=OutstandingToken.objects.get(token=refresh))\n",
        key=key, refresh=pair["refresh"],
    )  # fmt: skip
    assert site.everywhere(f"Token {key}") == (401, {"detail": "Invalid token."})
    assert is_blacklisted(site.post(REFRESH, {"refresh": pair["refresh"]}))
    again = ok(site.post(KEY, {"username": "client2", "password": PASSWORD}))["token"]
    assert again != key and site.everywhere(f"Token {again}")[0] == 200


def test_a_user_deleted_at_django(site):
    """Django deletes a user with rows that Countersign made; nothing of theirs works afterwards."""
    pair = ok(site.log_in("client3"))
    key = ok(site.post(KEY, {"username": "client3", "password": PASSWORD}))["token"]
    site.django.shell("User.objects.get(username='client3').delete()\n")
    assert site.everywhere(f"Token {key}") == (401, {"detail": "Invalid token."})
    assert site.everywhere(f"Bearer {pair['access']}")[1]["code"] == "user_not_found"
    assert site.post(REFRESH, {"refresh": pair["refresh"]}).status == 401
    assert site.log_in("client3").status == 401


def test_routes_change_hands_under_traffic(site, account):
    """Back to Django and forth again, three times, while clients log in, rotate, check and log out: none notices."""
    people = [scripts.person(site.countersign, f"client{number}", PASSWORD) for number in range(4, 8)]
    sessions = [scripts.Session(person) for person in people]
    work = [
        people[0].checks, people[1].logs_in, people[2].is_impersonated,
        sessions[0].rotates, sessions[1].rotates, sessions[2].ends,
    ]  # fmt: skip
    sides = itertools.cycle(("django", "countersign"))
    with Traffic(site.nginx.port).start(work) as traffic:
        traffic.wait_for(AMOUNT, "countersign")
        for _, side in zip(range(6), sides, strict=False):
            before = traffic.served.copy()
            site.switch(side)
            settle(site, side)
            traffic.wait_for(AMOUNT)
            if side == "countersign":
                traffic.wait_for(AMOUNT // 4, "countersign")
            else:
                assert traffic.served["django"] - before["django"] >= AMOUNT
    account(f"routes switched 6 times under traffic; answers by server {dict(traffic.served)}", traffic)
    assert traffic.wrong == []
    assert traffic.lost == []
    blacklisted = {
        row["token"]
        for row in database.rows(
            site.database,
            """SELECT o.token FROM token_blacklist_outstandingtoken o
               JOIN token_blacklist_blacklistedtoken b ON b.token_id = o.id""",
        )
    }
    for session in sessions:
        assert set(session.used) <= blacklisted


def settle(site, side):
    """Waits until new connections meet the new routes."""
    for _ in range(200):
        answers = [site.post(PAIR, {}).header("x-served-by") for _ in range(4)]
        if set(answers) == {side}:
            return
    raise AssertionError(f"the routes do not change: {answers}\n{site.nginx.log}")
