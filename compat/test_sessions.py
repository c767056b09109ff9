"""Sessions beside a running SimpleJWT: what is done at one is honoured at the other, races, and kill -9."""

import http.client
import itertools
import random
import threading
import time

import pytest
from conftest import PASSWORD
from harness import database, tokens
from harness.choice import Choice
from harness.hashing import made_by_django
from harness.load import Client, in_parallel
from harness.servers import Countersign

ON = {"enabled": True}
ROTATING = {"ROTATE_REFRESH_TOKENS": True, "BLACKLIST_AFTER_ROTATION": True}
CHOICE = Choice(simple_jwt=ROTATING, sessions=ON)
# No client waits for the window to pass: a second use is late at once.
STRICT = CHOICE.but(sessions={**ON, "refresh_window": "0s"})
VOID = {"detail": "Token is blacklisted", "code": "token_not_valid"}
LIVE = """SELECT count(*) FROM token_blacklist_outstandingtoken o WHERE NOT EXISTS (
              SELECT 1 FROM token_blacklist_blacklistedtoken b WHERE b.token_id = o.id)"""
RIVALS, ROUNDS = 64, 100


def login(server, username="alice"):
    answer = server.post("/api/token/", {"username": username, "password": PASSWORD})
    assert answer.status == 200, answer.text
    return answer.json()


def refresh(server, token):
    return server.post("/api/token/refresh/", {"refresh": token})


def refreshed(server, token):
    answer = refresh(server, token)
    assert answer.status == 200, (server.name, answer.text)
    return answer.json()


def assert_void(answer):
    assert (answer.status, answer.json()) == (401, VOID)


@pytest.fixture(scope="module")
def beside(start_pair):
    """Django, and Countersign with sessions, on one database that Django made and `countersign migrate` completed."""
    with migrated(start_pair(CHOICE)) as pair:
        yield pair


def migrated(pair):
    result = pair.countersign.run("migrate")
    assert result.returncode == 0, result.stderr
    assert "Created the tables of countersign" in result.stdout
    return pair


def test_django_has_nothing_to_do_beside_our_tables(beside):
    """Django's migrate passes over our tables and what is recorded of them."""
    assert beside.django.run("migrate", "--check").returncode == 0
    assert "No migrations to apply." in beside.django.run("migrate").stdout


def test_django_carries_the_session_on(beside):
    """SimpleJWT keeps the claim on rotation and copies it to access tokens; a family may go to and fro."""
    pair = login(beside.countersign)
    session = tokens.claims(pair["refresh"])["sid"]
    for server in (beside.django, beside.countersign, beside.django, beside.django, beside.countersign):
        assert server.whoami(f"Bearer {pair['access']}").status == 200
        pair = refreshed(server, pair["refresh"])
        assert tokens.claims(pair["refresh"])["sid"] == session, server.name
        assert tokens.claims(pair["access"])["sid"] == session, server.name
    assert database.value(
        beside.database, "SELECT count(*) FROM countersign_session WHERE sid = ? AND ended_at IS NULL", session
    )


def test_what_is_rotated_at_one_is_void_at_the_other(beside):
    """Either way, in whichever order."""
    for minter, reader in beside.directions():
        first = login(minter)["refresh"]
        second = refreshed(minter, first)["refresh"]
        third = refreshed(minter, second)["refresh"]
        assert_void(refresh(reader, second))
        if reader is beside.countersign:  # which refuses, and does not know yet whether it is theft
            refreshed(reader, third)


def test_a_logout_at_one_is_one_at_the_other(beside):
    """The blacklist view of either ends the token at both."""
    for minter, reader in beside.directions():
        pair = login(minter)
        kept = refreshed(reader, pair["refresh"])["refresh"]
        assert minter.post("/api/token/blacklist/", {"refresh": kept}).status == 200
        for server in (reader, minter):
            assert_void(refresh(server, kept))


def test_a_logout_here_ends_all_that_django_would_accept(beside):
    """The session ends with a token whose successor the client never got: Django refuses the successor as well."""
    first = login(beside.countersign)["refresh"]
    second = refreshed(beside.countersign, first)["refresh"]
    assert beside.countersign.post("/api/token/blacklist/", {"refresh": first}).status == 200
    assert_void(refresh(beside.django, second))


def test_reuse_here_ends_the_family_at_django(beside):
    """What the thief and the client hold is void at both."""
    first = login(beside.countersign)["refresh"]
    second = refreshed(beside.countersign, first)["refresh"]
    third = refreshed(beside.countersign, second)["refresh"]
    assert_void(refresh(beside.countersign, first))
    for server in beside.servers:
        assert_void(refresh(server, third))


def test_djangos_tokens_begin_families(beside):
    """A login at Django, refreshed here, repeated here: the same successor; then Django takes it on."""
    first = login(beside.django)["refresh"]
    assert "sid" not in tokens.claims(first)
    second = refreshed(beside.countersign, first)
    assert refreshed(beside.countersign, first) == second
    third = refreshed(beside.django, second["refresh"])
    assert tokens.claims(third["access"])["sid"] == tokens.claims(second["access"])["sid"]
    assert_void(refresh(beside.django, first))


def test_without_a_window_the_answer_is_simplejwts(start_pair):
    """`refresh_window = "0s"`: the second use reads as at SimpleJWT, and Django's rotation used again here is theft."""
    with migrated(start_pair(STRICT)) as pair:
        first = login(pair.countersign)["refresh"]
        second = refreshed(pair.countersign, first)["refresh"]
        here, there = refresh(pair.countersign, first), refresh(pair.django, first)
        assert (here.status, here.text) == (there.status, there.text)
        assert_void(refresh(pair.django, second))
        first = login(pair.countersign)["refresh"]
        second = refreshed(pair.django, first)["refresh"]
        time.sleep(0.01)  # any later instant
        assert_void(refresh(pair.countersign, first))
        assert_void(refresh(pair.countersign, second))


def test_django_deletes_a_user_with_sessions(start_pair):
    """Our rows stand in no way; the tokens are worth nothing afterwards."""
    with migrated(start_pair(CHOICE)) as pair:
        held = refreshed(pair.countersign, login(pair.countersign)["refresh"])
        pair.django.shell("User.objects.get(username='alice').delete()")
        assert refresh(pair.countersign, held["refresh"]).status == 401


def test_one_token_raced_at_simplejwt_and_here(start_pair, account):
    """64 clients use one refresh token at once, 100 rounds at each server: how many successors live."""
    with migrated(start_pair(CHOICE, workers=4, threads=16)) as pair:
        lines, most = [], {}
        for server in pair.servers:
            clients = [Client(server) for _ in range(RIVALS)]
            distinct, refused, failed, logged_out = [], 0, 0, 0
            for _ in range(ROUNDS):
                token = login(server)["refresh"]
                before = database.value(pair.database, LIVE)
                answers = in_parallel(
                    [lambda c=client: c.post("/api/token/refresh/", {"refresh": token}) for client in clients]
                )
                given = {body["refresh"] for status, body in answers if status == 200}
                refused += sum(status == 401 for status, _ in answers)
                failed += sum(status >= 500 for status, _ in answers)
                # The token itself counted as live before, unless it was blacklisted since.
                distinct.append(database.value(pair.database, LIVE) - before + 1)
                logged_out += len(given) == 0
                if server is pair.countersign:
                    assert len(given) == 1
            most[server.name] = max(distinct)
            lines.append(
                f"{server.name}: {ROUNDS} rounds of {RIVALS}: successors that live: {sum(distinct)} in all, "
                f"{max(distinct)} at most; refused {refused}, failed {failed}, rounds without any {logged_out}"
            )
        account("\n".join(lines), Silent())
        assert most["countersign"] == 1, lines


class Silent:
    """An account without traffic."""

    def table(self):
        return ""


KILLS, FAMILIES = 10, 8
CHEAPEST = CHOICE.but(work={"pbkdf2_sha256": {"iterations": 1}}, sessions={**ON, "refresh_window": "2m"})


@pytest.fixture(scope="module")
def staged(new_database):
    hashed = made_by_django(PASSWORD, iterations=1)
    accounts = [{"username": f"user{index}", "password": hashed} for index in range(FAMILIES)]
    server = Countersign(CHEAPEST, new_database(accounts=accounts))
    assert server.run("migrate").returncode == 0
    return server


def rotating_until_killed(server, kill_after):
    """Each family is rotated over and over until the server is killed; the chains of tokens that clients held."""
    count, enough = itertools.count(1), threading.Event()
    chains = [[login(server, f"user{number}")] for number in range(FAMILIES)]

    def client(chain):
        connection = Client(server)
        while True:
            try:
                status, body = connection.post("/api/token/refresh/", {"refresh": chain[-1]["refresh"]})
            except (OSError, http.client.HTTPException):
                return
            assert status == 200, (status, body)
            chain.append(body)
            if next(count) >= kill_after:
                enough.set()

    threads = [threading.Thread(target=client, args=[chain]) for chain in chains]
    for thread in threads:
        thread.start()
    assert enough.wait(60)
    server.kill()
    for thread in threads:
        thread.join(60)
    return chains


@pytest.mark.parametrize("number", range(KILLS))
def test_kill_9_loses_and_doubles_no_rotation(staged, number):
    """Every exchange that was answered is on disk, none was made twice, and an exchange whose answer was lost is taken up."""
    staged.start()
    chains = rotating_until_killed(staged, kill_after=random.Random(number).randrange(20, 400))
    staged.database.check()
    rotations = {
        row["parent_jti"]: row["child_jti"]
        for row in database.rows(staged.database, "SELECT parent_jti, child_jti FROM countersign_rotation")
    }
    recorded = {
        row["jti"]: row["blacklisted"]
        for row in database.rows(
            staged.database,
            """SELECT o.jti, b.id IS NOT NULL AS blacklisted FROM token_blacklist_outstandingtoken o
               LEFT JOIN token_blacklist_blacklistedtoken b ON b.token_id = o.id""",
        )
    }
    # Whole or not at all: a successor is recorded if and only if its parent is void.
    for parent, child in rotations.items():
        assert recorded[parent] and child in recorded
    assert len(set(rotations.values())) == len(rotations)
    staged.start()
    for chain in chains:
        ids = [tokens.claims(pair["refresh"])["jti"] for pair in chain]
        for parent, child in itertools.pairwise(ids):
            assert rotations[parent] == child
        last = chain[-1]["refresh"]
        # Exchanged or not when the server died: the client goes on, and a retry agrees with it.
        answer = refreshed(staged, last)
        assert rotations.get(ids[-1], tokens.claims(answer["refresh"])["jti"]) == tokens.claims(answer["refresh"])["jti"]
        assert refreshed(staged, last) == answer
        refreshed(staged, answer["refresh"])
    staged.stop()
