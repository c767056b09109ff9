"""Debian's PgBouncer in transaction mode: each transaction may run on another server connection."""

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg

from .ports import free_port

DEADLINE = 15.0
CONFIG = """
[databases]
* = host={host} port={port} user={user}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {own_port}
unix_socket_dir =
auth_type = any
auth_file =
pool_mode = transaction
default_pool_size = 3
logfile = {folder}/pgbouncer.log
pidfile = {folder}/pgbouncer.pid
"""


class PgBouncer:
    """One PgBouncer before the server of a database, whose connections are few and passed around."""

    def __init__(self, database):
        self.database, self.process = database, None
        # Not below pytest's folders, which the account of PgBouncer may not enter.
        self.folder = Path(tempfile.mkdtemp(prefix="countersign-pgbouncer."))
        self.port = free_port()

    @property
    def url(self):
        """The address of the database through it."""
        return self.database.url.replace(f":{self.database.port}/", f":{self.port}/")

    def __enter__(self):
        database = self.database
        config = self.folder / "pgbouncer.ini"
        config.write_text(
            CONFIG.format(
                host=database.host, port=database.port, user=database.user,
                own_port=self.port, folder=self.folder,
            )  # fmt: skip
        )
        # It refuses to run as root.
        root = os.getuid() == 0
        if root:
            shutil.chown(self.folder, "postgres")
        program = shutil.which("pgbouncer") or "/usr/sbin/pgbouncer"
        argv = [*(("runuser", "-u", "postgres", "--") if root else ()), program, str(config)]
        with (self.folder / "out").open("ab") as log:
            self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self._wait_until_it_answers()
        return self

    def _wait_until_it_answers(self):
        end = time.monotonic() + DEADLINE
        while True:
            try:
                with psycopg.connect(self.url, connect_timeout=2):
                    return
            except psycopg.OperationalError as error:
                if self.process.poll() is not None or time.monotonic() > end:
                    raise AssertionError(f"pgbouncer does not answer: {error}") from error
                time.sleep(0.02)

    def __exit__(self, *_):
        self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
        self.process.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
