"""Behind PgBouncer in transaction mode everything works, if the switch is set; without it, the log names the switch."""

import pytest
from conftest import PASSWORD
from harness import database, tokens
from harness.choice import Choice
from harness.hashing import made_by_django
from harness.load import Client, in_parallel
from harness.pgbouncer import PgBouncer
from harness.postgres import PostgresStages
from harness.servers import Countersign, Django

CHOICE = Choice(
    simple_jwt={"ROTATE_REFRESH_TOKENS": True, "BLACKLIST_AFTER_ROTATION": True, "UPDATE_LAST_LOGIN": True}
)
CLIENTS, ROUNDS = 8, 10


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    """A database with users, and a PgBouncer before it."""
    stages = PostgresStages()
    try:
        made = stages.empty(tmp_path_factory.mktemp("pgbouncer"))
        assert Django(CHOICE, made).run("migrate").returncode == 0
        hashed = made_by_django(PASSWORD)
        database.add_users(made, [{"username": f"user{n}", "password": hashed} for n in range(CLIENTS)])
        with PgBouncer(made) as pooler:
            yield made, pooler
    finally:
        stages.close()


def server(stage, switch):
    made, pooler = stage
    text = CHOICE.countersign(made).replace(made.url, pooler.url)
    return Countersign(CHOICE, made, text=f"{text}\n[postgresql]\npgbouncer = {switch}\n")


def test_everything_works(stage):
    """Logins, checks, rotations and revocations of many clients at once, over few server connections."""
    made, _ = stage
    with server(stage, "true") as countersign:

        def client(name):
            def run():
                connection, used = Client(countersign), []
                for _ in range(ROUNDS):
                    body = {"username": name, "password": PASSWORD}
                    status, pair = connection.post("/api/token/", body)
                    assert status == 200, pair
                    status, second = connection.post("/api/token/refresh/", {"refresh": pair["refresh"]})
                    assert status == 200, second
                    status, again = connection.post("/api/token/refresh/", {"refresh": pair["refresh"]})
                    assert (status, again["detail"]) == (401, "Token is blacklisted")
                    used.append(pair["refresh"])
                    assert countersign.whoami(f"Bearer {second['access']}").json()["username"] == name
                    status, key = connection.post("/api-token-auth/", body)
                    assert status == 200, key
                    assert countersign.whoami(f"Token {key['token']}").json()["username"] == name
                return used

            return run

        results = in_parallel([client(f"user{n}") for n in range(CLIENTS)])
        assert countersign.send("GET", "/readyz").status == 200
    void = {
        row["jti"]
        for row in database.rows(
            made,
            """SELECT o.jti FROM token_blacklist_outstandingtoken o
               JOIN token_blacklist_blacklistedtoken b ON b.token_id = o.id""",
        )
    }
    assert void == {tokens.claims(token)["jti"] for used in results for token in used}


def test_without_the_switch_it_is_named(stage):
    """Start-up parameters that PgBouncer refuses, and prepared statements that it loses: no wrong answer, and the fix."""
    countersign = server(stage, "false")
    result = countersign.run("drf_create_token", "user0")
    assert result.returncode != 0
    assert "pgbouncer = true" in result.stderr, result.stderr
