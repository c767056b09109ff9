"""A database on the tests' PostgreSQL: its two spellings, and what only PostgreSQL can be asked.

The server is that of COUNTERSIGN_TEST_POSTGRES, which `scripts/with-postgres` starts. Every stage of
the suite gets a database of its own there, copied from a template and dropped afterwards.
"""

import contextlib
import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import threading
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

import psycopg
from psycopg.rows import dict_row
from psycopg.types.datetime import TimestamptzLoader

from .ports import free_port

VARIABLE = "COUNTERSIGN_TEST_POSTGRES"
NUMBER = itertools.count()


def server_of_the_tests():
    """The URL in COUNTERSIGN_TEST_POSTGRES."""
    try:
        return os.environ[VARIABLE]
    except KeyError:
        raise RuntimeError(f"{VARIABLE} is not set: run under scripts/with-postgres") from None


class PostgresDatabase:
    """One database of a server."""

    store = "postgres"
    instant_type = "timestamp with time zone"

    def __init__(self, server, name, folder, search_path=None):
        parts = urlsplit(server)
        self.folder, self.name, self.search_path = Path(folder), name, search_path
        self.user, self.password = unquote(parts.username or ""), unquote(parts.password or "")
        self.host, self.port = parts.hostname, parts.port or 5432
        self.address = f"{parts.scheme}://{parts.netloc}/{name}"
        self.named = [name]  # what a message about it must hold
        self._connection, self._lock = None, threading.RLock()

    @property
    def url(self):
        """The address as libpq and Countersign write it."""
        if self.search_path is None:
            return self.address
        return f"{self.address}?options={quote('-csearch_path=' + self.search_path, safe='')}"

    def __str__(self):
        return self.name

    def django(self):
        """The entry of Django's DATABASES."""
        options = {} if self.search_path is None else {"options": f"-c search_path={self.search_path}"}
        return {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": self.name, "USER": self.user, "PASSWORD": self.password,
            "HOST": self.host, "PORT": self.port, "CONN_MAX_AGE": 600, "OPTIONS": options,
        }  # fmt: skip

    @contextmanager
    def transaction(self):
        """One transaction on a connection that is kept; commits at the end."""
        with self._lock:
            if self._connection is None or self._connection.closed:
                self._connection = connect(self.url)
            with self._connection.transaction():
                yield _Transaction(self._connection)

    def tables(self):
        """Names of the tables, with their schema where it is not public."""
        with self.transaction() as transaction:
            found = transaction.rows(f"SELECT {NAMED} AS name {FROM_RELATIONS} AND r.relkind = 'r' ORDER BY 1")
        return [row["name"] for row in found]

    def catalogue(self):
        """Tables, columns, constraints, indexes and sequences as the system catalogues describe them."""
        with self.transaction() as transaction:
            found = [
                f"{kind}: {row}" for kind, query in CATALOGUE.items() for row in transaction.rows(query)
            ]
        return sorted(line for line in found if "countersign_" not in line)

    def counters(self):
        """Where each sequence stands."""
        with self.transaction() as transaction:
            return transaction.rows(
                "SELECT schemaname, sequencename, last_value FROM pg_sequences ORDER BY 1, 2"
            )

    def types(self, table, condition, *parameters):
        """Types of the columns of one row by column, `null` for a null."""
        with self.transaction() as transaction:
            (row,) = transaction.rows(f"SELECT * FROM {table} WHERE {condition}", *parameters)
            chosen = ", ".join(f"pg_typeof({column})::text AS {column}" for column in row)
            (types,) = transaction.rows(f"SELECT {chosen} FROM {table} WHERE {condition}", *parameters)
        return {name: "null" if row[name] is None else types[name] for name in row}

    def check(self):
        """Asserts that no index has lost or gained an entry."""
        with self.transaction() as transaction:
            transaction.execute("CREATE EXTENSION IF NOT EXISTS amcheck")
            transaction.execute(
                """SELECT bt_index_check(i.indexrelid, true) FROM pg_index i
                   JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am a ON a.oid = c.relam
                   WHERE a.amname = 'btree' AND c.relname ~ 'auth_|authtoken_|token_blacklist_'"""
            )

    def close(self):
        """Lets go of the connection that is kept."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def drop(self):
        """Takes the database away, whoever is still connected."""
        self.close()
        maintain(self.address, f'DROP DATABASE IF EXISTS "{self.name}" WITH (FORCE)')


class _Transaction:
    def __init__(self, connection):
        self.connection = connection

    def rows(self, statement, *parameters):
        cursor = self.connection.execute(_placeholders(statement), parameters)
        return cursor.fetchall()

    def execute(self, statement, *parameters):
        self.connection.execute(_placeholders(statement), parameters)


class PostgresStages:
    """Makes databases for the tests of one run."""

    def __init__(self, server=None):
        self.server, self.made = server or server_of_the_tests(), []

    def empty(self, folder, template="template0", search_path=None):
        """A new database with nothing in it."""
        made = PostgresDatabase(self.server, f"compat_{os.getpid()}_{next(NUMBER)}", folder, search_path)
        maintain(self.server, f'CREATE DATABASE "{made.name}" TEMPLATE "{template}"')
        self.made.append(made)
        return made

    def absent(self, folder):
        """A database that is not there, and stays so."""
        return PostgresDatabase(self.server, "none_of_that_name", folder)

    def copy(self, source, folder):
        """A copy of a database nobody has open."""
        source.close()
        return self.empty(folder, source.name)

    def close(self):
        """Drops what was made."""
        while self.made:
            self.made.pop().drop()


class Cluster:
    """A PostgreSQL of a test's own, to be stopped and started under its clients. Always on the same port."""

    def __init__(self):
        self.bin = Path(os.environ[VARIABLE + "_BIN"])
        # Not below pytest's folders, which the account of the server may not enter.
        self.folder = Path(tempfile.mkdtemp(prefix="countersign-cluster."))
        self._as = ()
        if os.getuid() == 0:
            self._as = ("runuser", "-u", "postgres", "--")
            shutil.chown(self.folder, "postgres")
        self._run("initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync")
        self.port = free_port()

    @property
    def data(self):
        """Its data directory."""
        return str(self.folder / "data")

    @property
    def url(self):
        """The address of its first database."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def _run(self, program, *arguments):
        subprocess.run(
            [*self._as, str(self.bin / program), *arguments], cwd=self.folder, check=True, timeout=60,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        )  # fmt: skip

    def start(self):
        """Starts it and waits until it takes connections."""
        options = f"-c listen_addresses=127.0.0.1 -c port={self.port} -c unix_socket_directories={self.folder}"
        self._run("pg_ctl", "-D", self.data, "-l", str(self.folder / "log"), "-w", "-s", "-o", options, "start")

    def stop(self, mode="fast"):
        """Stops it and waits until it is gone; its clients' connections end."""
        self._run("pg_ctl", "-D", self.data, "-m", mode, "-w", "-s", "stop")

    def processes(self):
        """Process ids of the server and of all its children."""
        first = int((self.folder / "data" / "postmaster.pid").read_text().split()[0])
        children = Path(f"/proc/{first}/task/{first}/children").read_text().split()
        return [first, *map(int, children)]

    def signal(self, number):
        """Sends a signal to all of it: SIGSTOP makes a server that takes connections and says nothing."""
        for process in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, number)

    def close(self):
        """Takes it away."""
        with contextlib.suppress(OSError):
            self.signal(signal.SIGCONT)
        with contextlib.suppress(subprocess.CalledProcessError):  # it may be down
            self.stop("immediate")
        shutil.rmtree(self.folder, ignore_errors=True)


def connect(url, **options):
    """A connection in autocommit, which reads instants as Django writes them into SQLite."""
    connection = psycopg.connect(url, autocommit=True, row_factory=dict_row, **options)
    connection.execute("SET TIME ZONE 'UTC'")
    connection.adapters.register_loader("timestamptz", _InstantLoader)
    return connection


def maintain(server, statement):
    """Runs a statement about databases, from the database that is always there."""
    parts = urlsplit(server)
    with psycopg.connect(f"{parts.scheme}://{parts.netloc}/postgres", autocommit=True) as connection:
        connection.execute(statement)


class _InstantLoader(TimestamptzLoader):
    """`2025-06-15 15:06:40.500000`, without a fraction when it is 0."""

    def load(self, data):
        return super().load(data).replace(tzinfo=None).isoformat(" ")


def _placeholders(statement):
    return statement.replace("%", "%%").replace("?", "%s")


NAMED = "CASE n.nspname WHEN 'public' THEN '' ELSE quote_ident(n.nspname) || '.' END || quote_ident(r.relname)"
FROM_RELATIONS = """FROM pg_class r JOIN pg_namespace n ON n.oid = r.relnamespace
    WHERE n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'"""
CATALOGUE = {
    "relation": f"SELECT {NAMED} AS name, relkind::text, relpersistence::text {FROM_RELATIONS}",
    "column": f"""SELECT {NAMED} AS name, a.attname AS column,
        row_number() OVER (PARTITION BY r.oid ORDER BY a.attnum) AS position,
        format_type(a.atttypid, a.atttypmod) AS type, a.attnotnull, a.attidentity::text, a.attcollation::text,
        pg_get_expr(d.adbin, d.adrelid) AS default
        FROM pg_class r JOIN pg_namespace n ON n.oid = r.relnamespace JOIN pg_attribute a ON a.attrelid = r.oid
        LEFT JOIN pg_attrdef d ON d.adrelid = r.oid AND d.adnum = a.attnum
        WHERE n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
        AND r.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped""",
    "constraint": f"""SELECT {NAMED} AS name, c.conname, c.contype::text, c.convalidated,
        pg_get_constraintdef(c.oid) AS definition
        FROM pg_constraint c JOIN pg_class r ON r.oid = c.conrelid JOIN pg_namespace n ON n.oid = r.relnamespace
        WHERE n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'""",
    "index": """SELECT schemaname, tablename, indexname, indexdef FROM pg_indexes
        WHERE schemaname NOT IN ('pg_catalog', 'information_schema')""",
    "sequence": """SELECT n.nspname, s.relname, format_type(q.seqtypid, NULL) AS type, q.seqstart, q.seqmin,
        q.seqmax, q.seqincrement, q.seqcycle, q.seqcache,
        o.relname AS owner, a.attname AS column, d.deptype::text
        FROM pg_sequence q JOIN pg_class s ON s.oid = q.seqrelid JOIN pg_namespace n ON n.oid = s.relnamespace
        LEFT JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = s.oid AND d.deptype IN ('a', 'i')
        LEFT JOIN pg_class o ON o.oid = d.refobjid
        LEFT JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid""",
}
