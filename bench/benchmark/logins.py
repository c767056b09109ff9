"""What POSTs cost: logins by 1 to 128 clients, refreshing with rotation and blacklist, verifying."""

import json
from contextlib import ExitStack

from harness import database as rows
from harness import tokens

from . import contestants, data, load, rounds
from .checks import STORES

LOGINS = {1: 10, 2: 20, 8: 40, 32: 128, 128: 256}  # by number of clients
HASHERS = {"pbkdf2": "pbkdf2_sha256", "argon2": "argon2"}
TITLES = {"pbkdf2": "PBKDF2, 1,000,000 rounds", "argon2": "argon2id, 100 MiB, 2 passes, 8 lanes"}
ROTATING = {"ROTATE_REFRESH_TOKENS": True, "BLACKLIST_AFTER_ROTATION": True}


def by_clients(work, run):
    """Logins a second by number of clients, PostgreSQL. What is shed with 503 is counted apart."""
    kind = work.split("-")[1]
    choice = run.choice(password_hashers=(HASHERS[kind],))
    database = data.made("postgres", choice, run.few)
    bodies = data.FOLDER / "credentials"
    bodies.write_text(
        "".join(json.dumps({"username": f"user{n}", "password": data.PASSWORD}) + "\n" for n in range(1, run.few + 1))
    )
    kinds = [contestants.Countersign, contestants.Django, *run.peers]
    if kind == "pbkdf2":
        kinds.insert(1, contestants.CountersignWithoutAvx512)
    result = {
        "kind": "logins", "title": f"Login, {TITLES[kind]}, PostgreSQL", "unit": "logins/s", "by_clients": {},
    }  # fmt: skip
    with ExitStack() as stack:
        started = run.start(stack, kinds, choice, database)
        for clients, logins in LOGINS.items():

            def measure(contestant, clients=clients, count=logins // 4 if run.quick else logins):
                return load.burst(contestant, bodies, clients, count)

            print(f" {clients} clients", flush=True)
            # Hashing fills the machine for seconds on end: a quiet one is not waited for.
            accounts = rounds.alternate(started, measure, run.rounds_of_logins, run.postmaster, 0)
            result["by_clients"][str(clients)] = accounts
        result["memory"] = rounds.memory(started)
    return result | {"names": {c.name: c.title for c in started}}


def posts(work, run):
    """Refreshes with rotation and blacklist, or verifications, a second; commits are flushed to disk."""
    kind, store = work.split("-")
    choice = run.choice(simple_jwt=ROTATING)
    database = data.made(store, choice, run.few)
    kinds = [contestants.Countersign, contestants.Django, contestants.ThreadedDjango]
    if store == "postgres":
        kinds += run.peers
    path = {"refresh": "/api/token/refresh/", "verify": "/api/token/verify/"}[kind]
    bodies = data.FOLDER / f"{kind}-bodies"
    clients = 32

    def measure(contestant):
        minted = recorded(database, choice, 2 * clients if kind == "refresh" else run.few)
        name = "refresh" if kind == "refresh" else "token"
        bodies.write_text("".join(json.dumps({name: token}) + "\n" for token in minted))
        return load.posts(contestant, path, bodies, run.seconds, clients, rotating=kind == "refresh")

    with ExitStack() as stack:
        started = run.start(stack, kinds, choice, database)
        for contestant in started:
            measure(contestant)
        figures = rounds.measured(started, measure, run)
    name = {"refresh": "Refresh with rotation and blacklist", "verify": "Verify"}[kind]
    return {
        "kind": "posts", "title": f"{name}, {STORES[store]}, {clients} clients", "unit": "requests/s",
        **figures,
    }  # fmt: skip


def recorded(database, choice, count):
    """Fresh refresh tokens that the blacklist app knows, as a login would have left them."""
    made = [tokens.mint("refresh", 1 + n % 1000, choice, lifetime=86400) for n in range(count)]
    with rows.opened(database) as transaction:
        for token in made:
            claims = tokens.claims(token)
            transaction.execute(
                "INSERT INTO token_blacklist_outstandingtoken (token, created_at, expires_at, user_id, jti)"
                " VALUES (?, '2026-01-01 00:00:00', ?, ?, ?)",
                token, tokens.instant(claims["exp"]), int(claims["user_id"]), claims["jti"],
            )  # fmt: skip
    return made
