"""What sessions cost a check: stateless JWTs beside a server without sessions, with no mark in memory and with a million."""

import sqlite3
import time
from contextlib import ExitStack, closing
from datetime import timedelta

from harness import servers, tokens
from harness.sqlite import SqliteStages

from . import contestants, data, load, rounds
from .checks import PATHS, STATELESS

# A third each on users, sessions and single tokens, none of which is asked for.
MARKS = """WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < :count)
    INSERT INTO countersign_revocation (kind, subject, not_before)
    SELECT CASE n % 3 WHEN 0 THEN 'user' WHEN 1 THEN 'session' ELSE 'token' END,
        CASE n % 3 WHEN 0 THEN CAST(n + 1000000000 AS text) ELSE printf('%040x', n + 1000000000) END, :now FROM c"""


class Marked(contestants.Countersign):
    """Countersign with sessions and so many marks in memory, or without sessions."""

    def __init__(self, choice, database, folder, marks):
        self.name = "countersign-off" if marks is None else f"countersign-{marks}"
        self.title = "sessions off" if marks is None else f"sessions on, {marks:,} marks"
        super().__init__(choice, SqliteStages().copy(database, folder / f"marks-{marks}"), folder)
        if marks is None:
            return
        migrated = servers.Countersign(choice, self.database, self.folder).run("migrate")
        if migrated.returncode:
            raise RuntimeError(migrated.stderr)
        if marks:
            with closing(sqlite3.connect(self.database.path)) as connection, connection:
                connection.execute(MARKS, {"count": marks, "now": int(time.time() * 1000)})


def marks(_, run):
    """One server without sessions, one with them, and one with many marks, in turn."""
    # Tokens older than the settings would have them are asked for in the database: these may grow old.
    off = run.choice(protected=(STATELESS,), simple_jwt={"ACCESS_TOKEN_LIFETIME": timedelta(days=1)})
    on, many = off.but(sessions={"enabled": True}), 10_000 if run.quick else 1_000_000
    database = data.made("sqlite", off, run.few)
    headers = run.folder / "headers"
    minted = (tokens.mint("access", n, off, lifetime=86_400, sid=f"{n:040x}") for n in range(1, run.few + 1))
    headers.write_text("".join(f"Bearer {token}\n" for token in minted))

    def measure(contestant):
        return load.checks(contestant, PATHS["stateless"], headers, run.seconds)

    with ExitStack() as stack:
        started = []
        for choice, count in ((off, None), (on, 0), (on, many)):
            started.append(Marked(choice, database, run.folder, count))
            stack.callback(started[-1].stop)
            measure(started[-1].start())
        figures = rounds.measured(started, measure, run)
    return {
        "kind": "marks", "title": f"stateless JWT check, SQLite, with sessions, {run.few:,} tokens", "unit": "requests/s",
        **figures,
    }  # fmt: skip
