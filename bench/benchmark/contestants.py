"""The servers that are measured. Each runs in a session of its own, so that the kernel's groups treat all alike."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

from harness import servers, wire

BENCH = Path(__file__).resolve().parent.parent
DEADLINE = 60.0


class Contestant:
    """One server. Subclasses say how it is started."""

    name = title = None

    def __init__(self, choice, database, folder):
        self.choice, self.database, self.folder = choice, database, Path(folder) / self.name
        self.folder.mkdir(parents=True, exist_ok=True)
        self.process = self.port = None

    def command(self):
        """Argument vector and environment; a server that is told its port sets `self.port`, others print theirs."""
        raise NotImplementedError

    def start(self):
        """Starts it and waits for its first answer."""
        self.begin()
        self.wait()
        return self

    def begin(self, **options):
        """Starts it without waiting."""
        argv, environment = self.command()
        printed = self.port is None
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                argv, env=environment, cwd=self.folder, stdin=subprocess.DEVNULL, stderr=log,
                stdout=subprocess.PIPE if printed else log, start_new_session=True, **options,
            )  # fmt: skip
        if printed:
            for line in self.process.stdout:
                if match := re.search(rb"http://[^:]*:(\d+)", line):
                    self.port = int(match[1])
                    break
            else:
                raise RuntimeError(f"{self.name} printed no address: {self.log}")
            threading.Thread(target=self.process.stdout.read, daemon=True).start()

    def wait(self):
        """Until the first answer."""
        end = time.monotonic() + DEADLINE
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"{self.name} does not answer: {self.log}")
            time.sleep(0.001)

    def answers(self):
        """Whether it answers a request without credentials."""
        try:
            return wire.exchange(self.port, wire.compose("GET", "/api/whoami/")).status < 500
        except (OSError, AssertionError):
            return False

    @property
    def session(self):
        """Id of the session of all its processes."""
        return self.process.pid

    @property
    def log(self):
        """The end of what it wrote."""
        return (self.folder / "log").read_text(errors="replace")[-2000:]

    @property
    def url(self):
        """Base address."""
        return f"http://127.0.0.1:{self.port}"

    def stop(self):
        """Ends it, workers included."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(self.session, signal.SIGKILL)
            self.process.wait()
        self.process, self.port = None, None


class Countersign(Contestant):
    """The program."""

    name, title = "countersign", "**Countersign**"

    def command(self):
        environment = {key: value for key, value in os.environ.items() if not key.startswith("COUNTERSIGN_")}
        program = servers.Countersign(self.choice, self.database, self.folder)
        return [servers.countersign_program(), "serve", "--config", str(program.config())], environment


class CountersignWithoutAvx512(Countersign):
    """The program on a processor without AVX-512, as far as password hashing can tell."""

    name, title = "countersign-sha", "Countersign, AVX-512 switched off"

    def command(self):
        argv, environment = super().command()
        config = Path(argv[-1])
        backends = 'hashing_backends = ["portable", "sha-ni", "avx2"]'
        config.write_text(config.read_text().replace("[auth]\n", f"[auth]\n{backends}\n"))
        return argv, environment


class EmptyAxum(Contestant):
    """A handler that does nothing: what hyper, axum and the kernel cost."""

    name, title = "empty", "empty axum handler"

    def command(self):
        return [os.environ["EMPTY_AXUM_BIN"]], dict(os.environ)


class Django(Contestant):
    """Gunicorn with two workers as it comes, which handle one request a connection."""

    name, title = "django", "Django, gunicorn, 2 workers"
    arguments = ()
    connection_age = 600

    def command(self):
        database = _Aged(self.database, self.connection_age)
        environment = servers.Django(self.choice, database, self.folder).environment()
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(2048)
        self.port = self.listener.getsockname()[1]
        argv = [
            sys.executable, "-m", "gunicorn", "wsgi:application", "--chdir", str(servers.PROJECT),
            "--bind", f"fd://{self.listener.fileno()}", "--workers", "2", *self.arguments,
            "--no-control-socket", "--log-level", "warning", "--timeout", "300",
        ]  # fmt: skip
        return argv, environment

    def begin(self):
        argv, environment = self.command()
        self.command = lambda: (argv, environment)
        try:
            super().begin(pass_fds=[self.listener.fileno()])
        finally:
            del self.command
            self.listener.close()


class ThreadedDjango(Django):
    """Gunicorn with threads, which keep the clients' connections open."""

    name, title = "django-threads", "Django, gunicorn, 2 workers × 4 threads, keep-alive"
    arguments = ("--threads", "4", "--keep-alive", "75")


class ReconnectingDjango(Django):
    """Django's default CONN_MAX_AGE: a new connection to the database for each request."""

    name, title = "django-default", "Django, gunicorn, 2 workers, `CONN_MAX_AGE` 0 (the default)"
    connection_age = 0


class _Aged:
    """A database with another CONN_MAX_AGE."""

    def __init__(self, database, age):
        self.folder, self._database, self._age = database.folder, database, age

    def django(self):
        """The entry of Django's DATABASES."""
        return {**self._database.django(), "CONN_MAX_AGE": self._age}


class AxumSqlx(Contestant):
    """A service as people write it: axum, an sqlx pool, jsonwebtoken."""

    name, title = "axum-sqlx", "axum + sqlx + jsonwebtoken"

    def command(self):
        return [os.environ["AXUM_SQLX_BIN"]], _peer_environment(self)


class Fastify(Contestant):
    """The same in Node, a process a core."""

    name, title = "fastify", "fastify + @fastify/jwt + pg, 2 processes"

    def command(self):
        return ["node", str(BENCH / "peers" / "fastify" / "server.js")], _peer_environment(self)


def _peer_environment(contestant):
    return {
        **os.environ,
        "DATABASE_URL": contestant.database.url,
        "SECRET_KEY": contestant.choice.secret_key,
        "HASHER": contestant.choice.password_hashers[0],
    }
