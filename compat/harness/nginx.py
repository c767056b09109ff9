"""Debian's nginx in front of the servers, with a configuration of the test's own in a folder of its own."""

import os
import shutil
import subprocess
import time
from pathlib import Path

from . import wire
from .ports import free_port

DEADLINE = 15.0
FRAME = """
{user}
daemon off;
worker_processes 2;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log warn;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_set_header Host $host;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    proxy_connect_timeout 2s;
    {upstreams}
    server {{
        listen 127.0.0.1:{port};
        {locations}
    }}
}}
"""


def upstream(name, *servers):
    """A group of servers behind one name, over connections that are kept."""
    lines = "".join(f"server 127.0.0.1:{server.port} max_fails=1 fail_timeout=1s; " for server in servers)
    return f"upstream {name} {{ {lines} keepalive 16; }}"


def route(path, name):
    """A location and where it goes; the answer says who gave it. A path with `=` is matched whole."""
    return f"location {path} {{ proxy_pass http://{name}; add_header X-Served-By {name} always; }}"


class Nginx:
    """One nginx. `upstreams` and `locations` are lines of its configuration."""

    def __init__(self, folder):
        self.folder, self.process, self.port = Path(folder), None, None
        self.folder.mkdir(parents=True, exist_ok=True)
        self.config = self.folder / "nginx.conf"

    def _argv(self, *arguments):
        program = shutil.which("nginx") or "/usr/sbin/nginx"
        return [program, "-p", str(self.folder), "-c", str(self.config), *arguments]

    def write(self, upstreams, locations):
        """Writes the configuration."""
        user = "user root;" if os.getuid() == 0 else ""
        self.config.write_text(
            FRAME.format(
                user=user, folder=self.folder, port=self.port,
                upstreams="\n    ".join(upstreams), locations="\n        ".join(locations),
            )  # fmt: skip
        )

    def start(self, upstreams, locations):
        """Starts it and waits until it answers."""
        for _ in range(3):  # another program may take the port first
            self.port = free_port()
            self.write(upstreams, locations)
            with (self.folder / "nginx.out").open("ab") as log:
                self.process = subprocess.Popen(self._argv(), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            end = time.monotonic() + DEADLINE
            while self.process.poll() is None and time.monotonic() < end:
                try:
                    wire.exchange(self.port, wire.compose("GET", "/"))
                except (OSError, AssertionError):
                    time.sleep(0.02)
                else:
                    return self
        raise AssertionError(f"nginx does not start: {self.log}")

    def reload(self, upstreams, locations):
        """Goes over to another configuration, as an administrator would."""
        self.write(upstreams, locations)
        result = subprocess.run(self._argv("-s", "reload"), capture_output=True, text=True, timeout=DEADLINE)
        assert result.returncode == 0, result.stderr

    def stop(self):
        """Stops it."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(DEADLINE)

    @property
    def log(self):
        """What it complained about."""
        files = [self.folder / name for name in ("nginx.out", "nginx.log")]
        return "".join(path.read_text(errors="replace") for path in files if path.exists())
