"""Runs the rounds of `bench/first-figures` and writes the table."""

import argparse
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from harness import database
from harness.choice import Choice
from harness.hashing import made_by_django
from harness.placeholders import Filler
from harness.servers import Countersign, Django, Server

USERS = 1000


class EmptyAxum(Server):
    """The handler that does nothing."""

    name = "empty-axum"

    def start(self):
        """Reads the address from the first line."""
        self.process = subprocess.Popen([os.environ["EMPTY_AXUM_BIN"]], stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline().rsplit(":", 1)[1])
        return self


class SyncDjango(Django):
    """Gunicorn as it comes: sync workers, a connection a request."""

    name = "django-sync"

    def __init__(self, *arguments):
        super().__init__(*arguments, workers=2, threads=1)


class ThreadedDjango(Django):
    """Gunicorn with threads, which keep connections open."""

    name = "django-threads"

    def __init__(self, *arguments):
        super().__init__(*arguments, workers=2, threads=4)


def load(server, authorization, seconds, connections):
    """Requests per second of one round; anything but a 200 ends the run."""
    assert server.whoami(authorization).status == 200, server.name
    result = subprocess.run(
        ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-H", f"Authorization: {authorization}",
         f"{server.url}/api/whoami/"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    if "Non-2xx" in result.stdout:
        sys.exit(f"{server.name}: {result.stdout}")
    return float(re.search(r"Requests/sec:\s*([\d.]+)", result.stdout)[1])


def prepare(folder, choice):
    """A database made by Django with users and their tokens."""
    path = folder / "db.sqlite3"
    result = Django(choice, path, folder).run("migrate")
    assert result.returncode == 0, result.stderr
    hashed = made_by_django("correct horse")
    database.add_users(path, [{"username": f"user{n}", "password": hashed} for n in range(USERS)])
    return path


class _Side:
    def __init__(self, path, choice):
        self.path, self.choice = path, choice


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        table = measure(Path(folder), options)
    print(table)
    if options.out:
        options.out.write_text(table + "\n")


def measure(folder, options):
    """All rounds, the servers taking turns; the table."""
    choice = Choice()
    path = prepare(folder, choice)
    filler = Filler(_Side(path, choice))
    token = f"Token {filler.make('drf', 'user0')}"
    bearer = f"Bearer {filler.token('access', 'user0', lifetime=86400)}"
    kinds = (EmptyAxum, Countersign, SyncDjango, ThreadedDjango)
    figures = {}
    servers = [kind(choice, path, folder / kind.name).start() for kind in kinds]
    try:
        for number in range(options.rounds):
            for server in servers:
                for check, header in (("token", token), ("JWT", bearer)):
                    figure = load(server, header, options.seconds, options.connections)
                    figures.setdefault((server.name, check), []).append(figure)
                    print(f"round {number + 1}: {server.name} {check} {figure:,.0f}/s", file=sys.stderr)
    finally:
        for server in servers:
            server.stop()
    return report(figures, options)


def report(figures, options):
    """Medians, spread and ratios as Markdown."""
    median = {key: statistics.median(values) for key, values in figures.items()}
    names = {
        "empty-axum": "empty axum handler", "countersign": "**Countersign**",
        "django-sync": "Django, gunicorn, 2 sync workers",
        "django-threads": "Django, gunicorn, 2 workers × 4 threads, keep-alive",
    }  # fmt: skip
    lines = [
        f"`GET /api/whoami/`, {os.cpu_count()} cores ({platform.machine()}), load by `wrk -t1 -c{options.connections}`"
        f" on the same machine, {options.rounds} rounds of {options.seconds} s in turn; SQLite with {USERS} users,"
        " Django's own default settings.",
        "",
        "| server | check | requests/s, median | lowest–highest | of empty axum | times the faster Django |",
        "| --- | --- | ---: | ---: | ---: | ---: |",
    ]
    for name, title in names.items():
        for check in ("token", "JWT"):
            values, middle = figures[name, check], median[name, check]
            django = max(median["django-sync", check], median["django-threads", check])
            lines.append(
                f"| {title} | {check} | {middle:,.0f} | {min(values):,.0f}–{max(values):,.0f}"
                f" | {middle / median['empty-axum', check]:.2f} | {middle / django:.1f} |"
            )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
