"""kill -9 in the middle of a thousand logins: no token that a client received is missing afterwards."""

import http.client
import itertools
import random
import threading

import pytest
from conftest import PASSWORD
from harness import database
from harness.choice import Choice
from harness.hashing import made_by_django
from harness.load import Client
from harness.servers import Countersign

ROUNDS, LOGINS, CLIENTS = 20, 1000, 8
CHEAPEST = Choice(
    work={"pbkdf2_sha256": {"iterations": 1}},
    simple_jwt={"ROTATE_REFRESH_TOKENS": True, "BLACKLIST_AFTER_ROTATION": True, "UPDATE_LAST_LOGIN": True},
)


@pytest.fixture(scope="module")
def staged(new_database):
    """A database with as many users as there are logins in a round."""
    hashed = made_by_django(PASSWORD, iterations=1)
    accounts = [{"username": f"user{index}", "password": hashed} for index in range(LOGINS)]
    return Countersign(CHEAPEST, new_database(accounts=accounts))


def storm(server, kill_after):
    """Runs the logins until the server is killed; returns what the clients held by then."""
    received, lock = [], threading.Lock()
    enough, order = threading.Event(), itertools.count()

    def client():
        connection = Client(server)
        while (index := next(order)) < LOGINS:
            path = "/api-token-auth/" if index % 2 else "/api/token/"
            body = {"username": f"user{index}", "password": PASSWORD}
            try:
                status, answer = connection.post(path, body)
            except (OSError, http.client.HTTPException):
                return
            assert status == 200, (status, answer)
            with lock:
                received.append((body["username"], answer))
                if len(received) >= kill_after:
                    enough.set()

    threads = [threading.Thread(target=client) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    assert enough.wait(60), f"only {len(received)} logins were answered"
    server.kill()
    for thread in threads:
        thread.join(60)
    return received


@pytest.mark.parametrize("number", range(ROUNDS))
def test_nothing_that_was_answered_is_lost(staged, number):
    """Every token a client received is in the database after the kill, and accepted after the restart."""
    database.execute(staged.database, "DELETE FROM authtoken_token")
    database.execute(staged.database, "DELETE FROM token_blacklist_blacklistedtoken")
    database.execute(staged.database, "DELETE FROM token_blacklist_outstandingtoken")
    staged.start()
    received = storm(staged, kill_after=random.Random(number).randrange(50, LOGINS - 50))
    staged.database.check()
    keys = {
        row["key"]: row["username"]
        for row in database.rows(
            staged.database,
            "SELECT t.key, u.username FROM authtoken_token t JOIN auth_user u ON u.id = t.user_id",
        )
    }
    outstanding = {
        row["token"]: row["username"]
        for row in database.rows(
            staged.database,
            """SELECT o.token, u.username FROM token_blacklist_outstandingtoken o
               JOIN auth_user u ON u.id = o.user_id""",
        )
    }
    for username, answer in received:
        if "token" in answer:
            assert keys.get(answer["token"]) == username
        else:
            assert outstanding.get(answer["refresh"]) == username
    staged.start()
    for username, answer in received[-40:]:
        if "token" in answer:
            who = staged.whoami(f"Token {answer['token']}")
        else:
            who = staged.whoami(f"Bearer {answer['access']}")
            assert staged.post("/api/token/refresh/", {"refresh": answer["refresh"]}).status == 200
        assert (who.status, who.json()["username"]) == (200, username)
    staged.stop()
