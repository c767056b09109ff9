"""A database in an SQLite file: its two spellings, and what only SQLite can be asked."""

import shutil
import sqlite3
from contextlib import closing, contextmanager
from pathlib import Path

NAME = "db.sqlite3"


class SqliteDatabase:
    """One file, which need not be there yet."""

    store = "sqlite"
    instant_type = "text"

    def __init__(self, folder):
        self.folder = Path(folder)
        self.path = self.folder / NAME
        self.url = f"sqlite:///{self.path}"
        self.named = [NAME]  # what a message about it must hold

    def __str__(self):
        return self.url

    def django(self):
        """The entry of Django's DATABASES."""
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": str(self.path),
            "OPTIONS": {"timeout": 20, "transaction_mode": "IMMEDIATE"},
        }

    @contextmanager
    def transaction(self):
        """A connection of its own; commits at the end."""
        with closing(sqlite3.connect(self.path, timeout=20)) as connection:
            connection.execute("PRAGMA foreign_keys = ON")
            connection.row_factory = sqlite3.Row
            with connection:
                yield _Transaction(connection)

    def tables(self):
        """Names of the tables."""
        with self.transaction() as transaction:
            found = transaction.rows("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
        return [row["name"] for row in found]

    def catalogue(self):
        """sqlite_master without page numbers and without Countersign's tables: statements, text for text."""
        with self.transaction() as transaction:
            found = transaction.rows("SELECT type, name, tbl_name, sql FROM sqlite_master")
        return sorted(str(row) for row in found if not row["tbl_name"].startswith("countersign_"))

    def counters(self):
        """Nothing: the counters stand in a table, sqlite_sequence."""
        return []

    def types(self, table, condition, *parameters):
        """Storage classes of the values of one row by column."""
        with self.transaction() as transaction:
            columns = [row["name"] for row in transaction.rows(f"PRAGMA table_info({table})")]
            chosen = ", ".join(f"typeof({column}) AS {column}" for column in columns)
            (row,) = transaction.rows(f"SELECT {chosen} FROM {table} WHERE {condition}", *parameters)
        return row

    def check(self):
        """Asserts that the file is sound."""
        with self.transaction() as transaction:
            assert transaction.rows("PRAGMA integrity_check") == [{"integrity_check": "ok"}]

    def drop(self):
        """Nothing: the file goes with its folder."""


class _Transaction:
    def __init__(self, connection):
        self.connection = connection

    def rows(self, statement, *parameters):
        return [dict(row) for row in self.connection.execute(statement, parameters)]

    def execute(self, statement, *parameters):
        self.connection.execute(statement, parameters)


class SqliteStages:
    """Makes databases for the tests of one run."""

    def empty(self, folder):
        """A file that nobody has made yet."""
        return SqliteDatabase(folder)

    def absent(self, folder):
        """A database that is not there, and stays so."""
        return SqliteDatabase(Path(folder) / "none")

    def copy(self, source, folder):
        """A copy of a database nobody has open."""
        made = SqliteDatabase(folder)
        made.folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source.path, made.path)
        return made

    def close(self):
        """Nothing to do."""
