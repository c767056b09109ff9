"""Runs the works that were asked for, keeps each one's figures, and writes the report of all that are there."""

import argparse
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from harness.choice import Choice

from . import checks, contestants, data, logins, machine, marks, report, storm, timing

RESULTS = Path(__file__).resolve().parent.parent / "results"
WORKS = {
    "token-sqlite": checks.beside,
    "jwt-sqlite": checks.beside,
    "stateless-sqlite": checks.beside,
    "marks-sqlite": marks.marks,
    "token-postgres": checks.beside,
    "jwt-postgres": checks.beside,
    "token-sqlite-sizes": checks.sizes,
    "jwt-sqlite-sizes": checks.sizes,
    "token-postgres-sizes": checks.sizes,
    "jwt-postgres-sizes": checks.sizes,
    "login-pbkdf2": logins.by_clients,
    "login-argon2": logins.by_clients,
    "refresh-sqlite": logins.posts,
    "refresh-postgres": logins.posts,
    "verify-sqlite": logins.posts,
    "verify-postgres": logins.posts,
    "timing": timing.timing,
    "start": storm.start,
    "storm-sqlite": storm.storm,
    "storm-postgres": storm.storm,
}


class Run:
    """What the works of one run have in common."""

    few = 1000

    def __init__(self, options, folder):
        self.folder, self.quick = folder, options.quick
        self.quick = options.quick
        self.rounds = options.rounds or (2 if options.quick else 7)
        self.rounds_of_logins = options.rounds or (1 if options.quick else 3)
        self.patience = options.patience
        self.seconds = 1 if options.quick else 4
        self.many = options.users or ((100_000,) if options.quick else (1_000_000, 10_000_000))
        self.postmaster = postmaster()
        self.peers = []
        if "AXUM_SQLX_BIN" in os.environ:
            self.peers.append(contestants.AxumSqlx)
        if (contestants.BENCH / "peers" / "fastify" / "node_modules").is_dir():
            self.peers.append(contestants.Fastify)

    def choice(self, **changes):
        """Django's own defaults but for what a work changes."""
        return Choice(work={}).but(**changes)

    def start(self, stack, kinds, choice, database):
        """Starts contestants that stop with the stack."""
        started = []
        for kind in kinds:
            contestant = kind(choice, database, self.folder)
            stack.callback(contestant.stop)
            started.append(contestant.start())
        return started


def postmaster():
    """Process id of the PostgreSQL under test."""
    import psycopg

    with psycopg.connect(os.environ["COUNTERSIGN_TEST_POSTGRES"]) as connection:
        (folder,) = connection.execute("SHOW data_directory").fetchone()
    return int((Path(folder) / "postmaster.pid").read_text().split("\n", 1)[0])


def main():
    """The command line."""
    parser = argparse.ArgumentParser(prog="bench/run", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="short rounds and small databases: does it work at all")
    parser.add_argument("--only", nargs="+", metavar="WORK", choices=WORKS, help=", ".join(WORKS))
    parser.add_argument("--rounds", type=int, help="how often each contestant has its turn")
    parser.add_argument("--users", type=int, nargs="+", help="how many users are many, for the works with sizes")
    parser.add_argument("--patience", type=int, default=2, help="how often a turn that others disturbed is taken again")
    parser.add_argument("--report", action="store_true", help="measure nothing, write the report of what is there")
    parser.add_argument("--publish", action="store_true", help="write docs/performance.md and README's table as well")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # nobody stays behind
    results = RESULTS / "quick" if options.quick else RESULTS
    folder = Path(tempfile.mkdtemp(prefix="countersign-bench."))
    try:
        run = None if options.report else Run(options, folder)
        for work in () if options.report else options.only or WORKS:
            print(f"{work}", file=sys.stderr, flush=True)
            started = time.monotonic()
            result = WORKS[work](work, run)
            result |= {
                "work": work, "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"), "rounds": run.rounds,
                "seconds": run.seconds, "took": round(time.monotonic() - started), "machine": machine.description(),
            }  # fmt: skip
            data.save(results / f"{work}.json", result)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    found = {work: json.loads(path.read_text()) for work in WORKS if (path := results / f"{work}.json").exists()}
    report.write(found, results, publish=options.publish)


if __name__ == "__main__":
    main()
