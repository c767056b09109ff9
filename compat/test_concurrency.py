"""Both servers write one file at the same time; nothing is lost, doubled or refused."""

from conftest import PASSWORD
from harness import database, tokens
from harness.choice import Choice
from harness.hashing import made_by_django
from harness.load import Client, in_parallel

ROTATING = Choice(simple_jwt={"ROTATE_REFRESH_TOKENS": True, "BLACKLIST_AFTER_ROTATION": True})
OUTSTANDING = "SELECT count(*) FROM token_blacklist_outstandingtoken"
BLACKLISTED = "SELECT count(*) FROM token_blacklist_blacklistedtoken"


def people(number):
    hashed = made_by_django(PASSWORD)
    return [{"username": f"user{index}", "password": hashed} for index in range(number)]


def test_first_logins_at_both_make_one_token_each(start_pair):
    """Simultaneous first logins of the same users at both servers: one row a user, all clients get it."""
    count = 60
    with start_pair(Choice(), people(count)) as pair:

        def client(server, start):
            def run():
                connection, received = Client(server), {}
                for index in range(count):
                    name = f"user{(start + index) % count}"
                    status, body = connection.post("/api-token-auth/", {"username": name, "password": PASSWORD})
                    assert status == 200, (server.name, status, body)
                    received[name] = body["token"]
                return received

            return run

        results = in_parallel([client(server, 0) for server in pair.servers for _ in range(3)])
        stored = {
            row["username"]: row["key"]
            for row in database.rows(
                pair.database,
                "SELECT u.username, t.key FROM authtoken_token t JOIN auth_user u ON u.id = t.user_id",
            )
        }
        assert len(stored) == count
        assert all(received == stored for received in results)


def test_logins_and_refreshes_at_both(start_pair):
    """JWT logins, rotations at the other server and revocations from many clients: every row is there."""
    rounds, clients = 15, 3
    with start_pair(ROTATING, people(clients * 2)) as pair:

        def client(server, other, name):
            def run():
                here, there, live, dead = Client(server), Client(other), [], []
                for _ in range(rounds):
                    status, body = here.post("/api/token/", {"username": name, "password": PASSWORD})
                    assert status == 200, (server.name, status, body)
                    first = body["refresh"]
                    status, body = there.post("/api/token/refresh/", {"refresh": first})
                    assert status == 200, (other.name, status, body)
                    second = body["refresh"]
                    status, body = here.post("/api/token/refresh/", {"refresh": second})
                    assert status == 200, (server.name, status, body)
                    third = body["refresh"]
                    status, body = there.post("/api/token/blacklist/", {"refresh": third})
                    assert status == 200, (other.name, status, body)
                    dead += [first, second, third]
                    status, body = there.post("/api/token/", {"username": name, "password": PASSWORD})
                    assert status == 200, (other.name, status, body)
                    live.append(body["refresh"])
                return live, dead

            return run

        jobs = [
            client(server, other, f"user{number * 2 + direction}")
            for direction, (server, other) in enumerate(pair.directions())
            for number in range(clients)
        ]
        results = in_parallel(jobs)
        live = [token for alive, _ in results for token in alive]
        dead = [token for _, gone in results for token in gone]
        assert database.value(pair.database, OUTSTANDING) == len(live) + len(dead)
        assert database.value(pair.database, BLACKLISTED) == len(dead)
        recorded = {
            row["token"]: row["blacklisted"]
            for row in database.rows(
                pair.database,
                """SELECT o.token, b.id IS NOT NULL AS blacklisted FROM token_blacklist_outstandingtoken o
                   LEFT JOIN token_blacklist_blacklistedtoken b ON b.token_id = o.id""",
            )
        }
        assert recorded == {token: 0 for token in live} | {token: 1 for token in dead}


def test_one_refresh_token_rotates_once(start_pair):
    """Of simultaneous uses of one refresh token at Countersign exactly one succeeds."""
    rivals, rounds = 10, 20
    with start_pair(ROTATING, people(1)) as pair:
        clients = [Client(pair.countersign) for _ in range(rivals)]
        for number in range(rounds):
            known = number % 2 == 0
            if known:
                body = {"username": "user0", "password": PASSWORD}
                refresh = pair.countersign.post("/api/token/", body).json()["refresh"]
            else:  # valid, but not in the outstanding table
                refresh = tokens.mint("refresh", pair.id_of("user0"), ROTATING, lifetime=3600)
            answers = in_parallel(
                [
                    lambda client=client: client.post("/api/token/refresh/", {"refresh": refresh})
                    for client in clients
                ]
            )
            assert sorted(status for status, _ in answers) == [200] + [401] * (rivals - 1)
            for status, body in answers:
                if status == 401:
                    assert body == {"detail": "Token is blacklisted", "code": "token_not_valid"}
        assert database.value(pair.database, BLACKLISTED) == rounds
        assert database.value(pair.database, OUTSTANDING) == 2 * rounds


def test_one_blacklisting_wins(start_pair):
    """Of simultaneous revocations of one token exactly one answers 200; the row exists once."""
    with start_pair(ROTATING, people(1)) as pair:
        clients = [Client(pair.countersign) for _ in range(8)]
        for _ in range(10):
            refresh = tokens.mint("refresh", pair.id_of("user0"), ROTATING, lifetime=3600)
            answers = in_parallel(
                [
                    lambda client=client: client.post("/api/token/blacklist/", {"refresh": refresh})
                    for client in clients
                ]
            )
            statuses = [status for status, _ in answers]
            assert set(statuses) <= {200, 401} and 200 in statuses
        assert database.value(pair.database, BLACKLISTED) == 10
        assert database.value(pair.database, OUTSTANDING) == 10
