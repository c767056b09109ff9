"""Starts, watches and stops the two servers and runs their commands."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

from . import wire

COMPAT = Path(__file__).resolve().parent.parent
PROJECT = COMPAT / "django_project"
START_DEADLINE = 60.0
STOP_DEADLINE = 15.0


def countersign_program():
    """Path of the program under test: $COUNTERSIGN_BIN, else target/release/countersign."""
    named = os.environ.get("COUNTERSIGN_BIN")
    program = Path(named) if named else COMPAT.parent / "target" / "release" / "countersign"
    if not program.is_file():
        raise FileNotFoundError(f"{program} is missing: cargo build --release, or set COUNTERSIGN_BIN")
    return str(program.resolve())


# Runs each line of its input, a JSON string, as Python; connections do not outlive the line.
SHELL = """
import contextlib, io, json, sys, traceback
from django.contrib.auth import get_user_model
from django.db import connections
for line in sys.stdin:
    printed, error = io.StringIO(), None
    try:
        with contextlib.redirect_stdout(printed):
            exec(json.loads(line), {"User": get_user_model()})
    except Exception:
        error = traceback.format_exc()
    connections.close_all()
    print(json.dumps([printed.getvalue(), error]), flush=True)
"""


class Server:
    """A running server of either kind."""

    name = "server"

    def __init__(self, choice, database, folder=None):
        self.choice, self.database = choice, database
        self.folder = Path(folder or database.folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.process = None
        self.port = None

    @property
    def url(self):
        """Base address without a trailing slash."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self):
        """What the server wrote so far."""
        path = self.folder / f"{self.name}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def send(self, method, target, headers=(), body=b"", **options):
        """One request over a fresh connection."""
        return wire.exchange(self.port, wire.compose(method, target, headers, body, **options), method)

    def post(self, target, body, headers=()):
        """POSTs an object as JSON."""
        headers = [("Content-Type", "application/json"), *headers]
        return self.send("POST", target, headers, json.dumps(body))

    def whoami(self, authorization, target="/api/whoami/"):
        """GETs the protected resource with an Authorization header."""
        return self.send("GET", target, [("Authorization", authorization)])

    def _wait_until_it_answers(self):
        end = time.monotonic() + START_DEADLINE
        while True:
            if self.process.poll() is not None:
                raise AssertionError(f"{self.name} ended with {self.process.returncode}:\n{self.log}")
            try:
                self.send("GET", "/api/whoami/")
                return
            except (OSError, AssertionError):
                if time.monotonic() > end:
                    raise AssertionError(f"{self.name} does not answer:\n{self.log}") from None
                time.sleep(0.02)

    def stop(self):
        """Asks politely, then insists."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.terminate()
        try:
            self.process.wait(STOP_DEADLINE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"{self.name} did not stop on SIGTERM") from None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()


class Gunicorn(Server):
    """A Django project under gunicorn. Subclasses say which, and in what environment."""

    directory = PROJECT
    application = "wsgi:application"
    workers, threads = 1, 4
    _shell = None

    def environment(self):
        """Environment of gunicorn and manage.py."""
        raise NotImplementedError

    def start(self):
        """Gunicorn inherits a listening socket, so no port can be lost between choosing and binding."""
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        listener.listen(512)
        self.port = listener.getsockname()[1]
        with (self.folder / f"{self.name}.log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    sys.executable, "-m", "gunicorn", self.application,
                    "--bind", f"fd://{listener.fileno()}",
                    "--workers", str(self.workers), "--threads", str(self.threads),
                    "--no-control-socket", "--keep-alive", "75",
                    "--log-level", "warning",
                ],
                cwd=self.directory, env=self.environment(), stdout=log, stderr=log,
                stdin=subprocess.DEVNULL, pass_fds=[listener.fileno()],
            )  # fmt: skip
        listener.close()
        self._wait_until_it_answers()
        return self

    def argv(self, *arguments):
        """Command line of a management command."""
        return [sys.executable, str(self.directory / "manage.py"), *map(str, arguments)]

    def run(self, *arguments, env=None, input=None):
        """Runs a management command to its end, without a terminal."""
        return subprocess.run(
            self.argv(*arguments), env={**self.environment(), **(env or {})}, cwd=self.folder,
            input=input, stdin=None if input is not None else subprocess.DEVNULL,
            capture_output=True, text=True, timeout=120,
        )  # fmt: skip

    def shell(self, code, **names):
        """Runs lines of Python in the project, with some names set; what they print.

        All of a server's lines are run by one `manage.py shell`, as each start of Django takes a second.
        """
        given = "".join(f"{name} = {value!r}\n" for name, value in names.items())
        if self._shell is None:
            self._shell = subprocess.Popen(
                self.argv("shell", "--verbosity", "0", "-c", SHELL), env=self.environment(), cwd=self.folder,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            )  # fmt: skip
        self._shell.stdin.write(json.dumps(given + code) + "\n")
        self._shell.stdin.flush()
        printed, error = json.loads(self._shell.stdout.readline())
        assert error is None, error
        return printed

    def stop(self):
        """Ends the shell with the server."""
        if self._shell is not None:
            self._shell.communicate()
            self._shell = None
        super().stop()


class Django(Gunicorn):
    """Django + DRF + SimpleJWT with the settings of a choice."""

    name = "django"

    def __init__(self, choice, database, folder=None, workers=1, threads=4):
        super().__init__(choice, database, folder)
        self.workers, self.threads = workers, threads

    def environment(self):
        """Environment of gunicorn and manage.py."""
        settings = self.folder / "django_settings.json"
        settings.write_text(json.dumps(self.choice.django(self.database)))
        return {
            **os.environ,
            "COMPAT_SETTINGS": str(settings),
            "DJANGO_SETTINGS_MODULE": "site_settings",
            "PYTHONPATH": str(PROJECT),
            "PYTHONDONTWRITEBYTECODE": "1",
            "DJANGO_COLORS": "nocolor",
        }


class Countersign(Server):
    """The program under test."""

    name = "countersign"
    flags = ()
    announced = False

    def __init__(self, choice, database, folder=None, text=None):
        super().__init__(choice, database, folder)
        self.text = text

    def config(self):
        """Writes the configuration file and returns its path."""
        path = self.folder / "countersign.toml"
        text = self.text if self.text is not None else self.choice.countersign(self.database)
        path.write_text(text)
        return path

    def environment(self):
        """Environment of the program: the caller's without anything that would configure it."""
        return {key: value for key, value in os.environ.items() if not key.startswith("COUNTERSIGN_")}

    def start(self):
        """Waits for the line with the bound address, then for an answer there."""
        log = (self.folder / "countersign.log").open("ab")
        self.process = subprocess.Popen(
            [countersign_program(), "serve", "--config", str(self.config()), *self.flags],
            env=self.environment(), cwd=self.folder, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=log, start_new_session=True,
        )  # fmt: skip
        self.announced, found = False, threading.Event()
        reader = threading.Thread(target=self._read, args=(log, found), daemon=True)
        reader.start()
        found.wait(START_DEADLINE)
        if not self.announced:
            self.kill()
            raise AssertionError(
                f"countersign printed no address (exit {self.process.returncode}):\n{self.log}"
            )
        self._wait_until_it_answers()
        return self

    def _read(self, log, found):
        """Copies standard output to the log; the first address in it is the server's."""
        for line in self.process.stdout:
            log.write(line)
            log.flush()
            match = re.search(rb"http://127\.0\.0\.1:(\d+)", line)
            if match and not found.is_set():
                self.port, self.announced = int(match[1]), True
                found.set()
        found.set()
        log.close()

    def kill(self):
        """kill -9, the stand-in's workers included."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def argv(self, command, *arguments):
        """Command line of a command of the program."""
        return [countersign_program(), command, *map(str, arguments), "--config", str(self.config())]

    def run(self, command, *arguments, env=None, input=None):
        """Runs a command to its end, without a terminal."""
        return subprocess.run(
            self.argv(command, *arguments), env={**self.environment(), **(env or {})},
            cwd=self.folder, input=input,
            stdin=None if input is not None else subprocess.DEVNULL,
            capture_output=True, text=True, timeout=120,
        )  # fmt: skip

