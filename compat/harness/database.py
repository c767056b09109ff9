"""Looks into the shared SQLite file and puts users into it, the way Django stores them."""

import sqlite3
from contextlib import closing, contextmanager


@contextmanager
def opened(path):
    """A connection of the test's own; commits at the end."""
    with closing(sqlite3.connect(path, timeout=20)) as connection:
        connection.execute("PRAGMA foreign_keys = ON")
        with connection:
            yield connection


def rows(path, statement, *parameters):
    """All rows of a query as dictionaries."""
    with opened(path) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(statement, parameters)]


def one(path, statement, *parameters):
    """The only row of a query."""
    found = rows(path, statement, *parameters)
    assert len(found) == 1, f"{len(found)} rows for {statement} {parameters}"
    return found[0]


def value(path, statement, *parameters):
    """The only value of a query."""
    return next(iter(one(path, statement, *parameters).values()))


def execute(path, statement, *parameters):
    """Runs one statement."""
    with opened(path) as connection:
        connection.execute(statement, parameters)


def schema(path):
    """sqlite_master without page numbers: (type, name, table, statement), in the order of creation."""
    with opened(path) as connection:
        return list(
            connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY rowid")
        )


def add_users(path, users):
    """Inserts users given as dictionaries; what is absent gets the model's default."""
    defaults = {
        "password": "!unusable", "last_login": None, "is_superuser": 0, "first_name": "",
        "last_name": "", "email": "", "is_staff": 0, "is_active": 1,
        "date_joined": "2025-01-01 00:00:00",
    }  # fmt: skip
    with opened(path) as connection:
        for user in users:
            row = {**defaults, **user}
            connection.execute(
                f"INSERT INTO auth_user ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})",
                list(row.values()),
            )


def user_id(path, username):
    """Primary key of a user."""
    return value(path, "SELECT id FROM auth_user WHERE username = ?", username)


def password_of(path, username):
    """The stored hash of a user."""
    return value(path, "SELECT password FROM auth_user WHERE username = ?", username)


def shape(text):
    """A stored instant with every digit replaced by 0, None as it is: the form without the value."""
    if text is None:
        return None
    return "".join("0" if character.isdigit() else character for character in str(text))
