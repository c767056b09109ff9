"""Databases of any size, made by Django's `migrate` and filled in bulk, and credentials for their users.

User n is called `user<n>`, has the id n and the DRF token `token_key(n)`; nothing but the size has to be known.
A database that is there with the right number of users is used again: SQLite's live below target/bench, those of
PostgreSQL as long as the server does.
"""

import hashlib
import json
import random
import sqlite3
from contextlib import closing
from pathlib import Path

import psycopg
from harness import servers, tokens
from harness.hashing import made_by_django
from harness.postgres import PostgresDatabase, maintain, server_of_the_tests
from harness.sqlite import SqliteDatabase

PASSWORD = "correct horse"
FOLDER = Path(__file__).resolve().parent.parent.parent / "target" / "bench"
STORES = ("sqlite", "postgres")
USERS = """INSERT INTO auth_user (id, username, password, last_login, is_superuser, first_name, last_name, email,
    is_staff, is_active, date_joined)
    SELECT n, 'user' || n, '{password}', NULL, {false}, '', '', 'user' || n || '@example.com',
    {false}, {true}, '2025-01-01 00:00:00' FROM {numbers}"""
TOKENS = """INSERT INTO authtoken_token (key, created, user_id)
    SELECT {key}, '2025-01-01 00:00:00', n FROM {numbers}"""


def token_key(number):
    """The DRF token of a user, as scattered as DRF's random ones."""
    return hashlib.sha256(str(number).encode()).hexdigest()[:40]


def made(store, choice, users):
    """The database with so many users."""
    return {"sqlite": _sqlite, "postgres": _postgres}[store](choice, users)


def _sqlite(choice, users):
    database = SqliteDatabase(FOLDER / f"sqlite-{users}-{_kind(choice)}")
    database.folder.mkdir(parents=True, exist_ok=True)
    if database.path.exists() and "auth_user" in database.tables() and _count(database) == users:
        return database
    for path in database.folder.glob("db.sqlite3*"):
        path.unlink()
    _migrate(choice, database)
    numbers = f"(WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < {users}) SELECT n FROM c)"
    with closing(sqlite3.connect(database.path, isolation_level=None)) as connection:
        connection.create_function("token_key", 1, token_key, deterministic=True)
        for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -4000000"):
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("BEGIN")
        connection.execute(USERS.format(password=_password(choice), true=1, false=0, numbers=numbers))
        connection.execute(TOKENS.format(key="token_key(n)", numbers=numbers))
        connection.execute("COMMIT")
        connection.execute("PRAGMA journal_mode = WAL")  # as Countersign sets it, and Django keeps it
    return database


def _postgres(choice, users):
    server, name = server_of_the_tests(), f"bench_{users}_{_kind(choice)}"
    database = PostgresDatabase(server, name, FOLDER / f"postgres-{users}-{_kind(choice)}")
    database.folder.mkdir(parents=True, exist_ok=True)
    try:
        if _count(database) == users:
            return database
    except psycopg.Error:
        pass  # it is not there, or not filled
    database.drop()
    maintain(server, f'CREATE DATABASE "{name}"')
    _migrate(choice, database)
    numbers = f"generate_series(1, {users}) AS n"
    key = "substr(encode(sha256(convert_to(n::text, 'UTF8')), 'hex'), 1, 40)"
    with psycopg.connect(database.url, autocommit=True) as connection:
        _flush(connection, "off")
        with connection.transaction():
            connection.execute("SET LOCAL synchronous_commit = off")
            connection.execute(USERS.format(password=_password(choice), true="true", false="false", numbers=numbers))
            connection.execute(TOKENS.format(key=key, numbers=numbers))
        connection.execute("SELECT setval('auth_user_id_seq', %s)", [users])
        connection.execute("VACUUM ANALYZE")
        _flush(connection, "on")
        connection.execute("CHECKPOINT")
    return database


def _flush(connection, value):
    """Switches fsync, unless the server was started with a choice of its own."""
    connection.execute(f"ALTER SYSTEM SET fsync = {value}")
    connection.execute("SELECT pg_reload_conf()")


def _kind(choice):
    return choice.password_hashers[0]


def _password(choice):
    """One hash with Django's own work factors for everybody: what is hashed costs the same whoever logs in."""
    defaults = {"iterations": 1_000_000} if _kind(choice).startswith("pbkdf2") else {}
    if _kind(choice) == "argon2":
        defaults = {"time_cost": 2, "memory_cost": 102_400, "parallelism": 8}
    return made_by_django(PASSWORD, _kind(choice), **defaults)


def _migrate(choice, database):
    result = servers.Django(choice, database).run("migrate")
    if result.returncode:
        raise RuntimeError(result.stderr)


def _count(database):
    with database.transaction() as transaction:
        (row,) = transaction.rows("SELECT max(user_id) AS count FROM authtoken_token")
    database_close = getattr(database, "close", None)
    if database_close:
        database_close()
    return row["count"]


def headers(kind, choice, users, distinct=None):
    """A file of Authorization headers for `distinct` users drawn at random, in random order."""
    distinct = min(users, distinct or users)
    path = FOLDER / f"{kind}-{distinct}-of-{users}"
    chosen = random.Random(20_260_101).sample(range(1, users + 1), distinct)
    make = {
        "token": lambda n: f"Token {token_key(n)}",
        "jwt": lambda n: f"Bearer {tokens.mint('access', n, choice, lifetime=7 * 86400)}",
    }[kind]
    path.write_text("".join(make(number) + "\n" for number in chosen))
    return path


def plans(database, users):
    """How PostgreSQL finds the owner of a token and the user of a JWT: the lines of EXPLAIN, settled by ANALYZE."""
    with psycopg.connect(database.url, autocommit=True) as connection:
        found = {}
        for name, statement in {
            "token": "SELECT u.id, u.username FROM authtoken_token t JOIN auth_user u ON u.id = t.user_id"
            f" WHERE t.key = '{token_key(users // 2)}'",
            "JWT with user row": f"SELECT id, username FROM auth_user WHERE id = {users // 2}",
        }.items():
            for _ in range(2):  # the second finds everything in memory
                rows = connection.execute("EXPLAIN (ANALYZE, BUFFERS, COSTS OFF) " + statement).fetchall()
            found[name] = [row[0] for row in rows]
        return found


def save(path, value):
    """Writes JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=1) + "\n")
