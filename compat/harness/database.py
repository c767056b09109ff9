"""Looks into the shared database and puts users into it, the way Django stores them.

Statements are written once, with `?` for parameters, and run on both stores. What comes back is the
same on both: truth values equal 0 and 1, and an instant is the text that Django writes into SQLite.
What only one store can say is asked of the database itself: see `sqlite.py` and `postgres.py`.
"""

from contextlib import contextmanager


@contextmanager
def opened(database):
    """A transaction of the test's own, with `rows` and `execute`; commits at the end."""
    with database.transaction() as transaction:
        yield transaction


def rows(database, statement, *parameters):
    """All rows of a query as dictionaries."""
    with opened(database) as transaction:
        return transaction.rows(statement, *parameters)


def one(database, statement, *parameters):
    """The only row of a query."""
    found = rows(database, statement, *parameters)
    assert len(found) == 1, f"{len(found)} rows for {statement} {parameters}"
    return found[0]


def value(database, statement, *parameters):
    """The only value of a query."""
    return next(iter(one(database, statement, *parameters).values()))


def execute(database, statement, *parameters):
    """Runs one statement."""
    with opened(database) as transaction:
        transaction.execute(statement, *parameters)


def contents(database):
    """Schema, counters and all rows of all tables, without Countersign's own."""
    found = {
        table: sorted(map(repr, rows(database, f"SELECT * FROM {table}")))
        for table in database.tables()
        if "countersign_" not in table
    }
    return found | {"": database.catalogue(), "counters": database.counters()}


def add_users(database, users):
    """Inserts users given as dictionaries; what is absent gets the model's default."""
    defaults = {
        "password": "!unusable", "last_login": None, "is_superuser": False, "first_name": "",
        "last_name": "", "email": "", "is_staff": False, "is_active": True,
        "date_joined": "2025-01-01 00:00:00",
    }  # fmt: skip
    with opened(database) as transaction:
        for user in users:
            row = {**defaults, **user}
            transaction.execute(
                f"INSERT INTO auth_user ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})",
                *row.values(),
            )


def user_id(database, username):
    """Primary key of a user."""
    return value(database, "SELECT id FROM auth_user WHERE username = ?", username)


def password_of(database, username):
    """The stored hash of a user."""
    return value(database, "SELECT password FROM auth_user WHERE username = ?", username)


def shape(text):
    """A stored instant with every digit replaced by 0, None as it is: the form without the value."""
    if text is None:
        return None
    return "".join("0" if character.isdigit() else character for character in str(text))
