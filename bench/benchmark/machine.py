"""What the figures were measured on, and how much of the machine others took meanwhile."""

import importlib.metadata
import os
import platform
import re
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def description():
    """Processor, memory, kernel and the versions of everything that takes part."""
    processor = re.search(r"model name\s*:\s*(.*)", Path("/proc/cpuinfo").read_text())
    flags = re.search(r"flags\s*:\s*(.*)", Path("/proc/cpuinfo").read_text())
    memory = int(re.search(r"MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text())[1])
    known = set(flags[1].split()) if flags else set()
    return {
        "processor": processor[1] if processor else platform.machine(),
        "cores": os.cpu_count(),
        "instructions": [name for name in ("avx2", "avx512f", "sha_ni") if name in known],
        "memory_gib": round(memory / 2**20),
        "system": f"{platform.system()} {platform.release()}",
        "versions": versions(),
    }


def versions():
    """Name to version."""
    found = {
        "Countersign": f"{said(os.environ['COUNTERSIGN_BIN'], '--version').split()[-1]} ({commit()})",
        "Rust": said("rustc", "--version").split()[1],
        "Python": platform.python_version(),
        "PostgreSQL": said(os.environ["COUNTERSIGN_TEST_POSTGRES_BIN"] + "/postgres", "--version").split()[2],
        "wrk": said("wrk", "-v").split()[1],
    }
    names = ("Django", "djangorestframework", "djangorestframework-simplejwt", "gunicorn", "psycopg")
    return found | {name: importlib.metadata.version(name) for name in names}


def commit():
    """The commit of the working tree, for want of a better name of what was measured."""
    return os.environ.get("COUNTERSIGN_COMMIT") or said("git", "describe", "--always", "--dirty")


def said(*command):
    """First line a program prints."""
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    return (result.stdout or result.stderr).partition("\n")[0]


class Usage:
    """Of a stretch of time: what share of the machine went to programs that take no part, and the seconds of processor
    that the contestant and the database used."""

    others = seconds = 0.0


@contextmanager
def watch(session, sessions, postmaster):
    """Measures the block, in which the contestant with `session` works; `sessions` are those of all contestants."""
    result = Usage()
    started, everyone, ours, used = (
        time.monotonic(),
        _everyone(),
        _ours(sessions, postmaster),
        _used(session, postmaster),
    )
    yield result
    elapsed = time.monotonic() - started
    others = (_everyone() - everyone) - (_ours(sessions, postmaster) - ours)
    result.others = max(0.0, others / TICKS / elapsed / os.cpu_count())
    result.seconds = (_used(session, postmaster) - used) / TICKS


def _everyone():
    """Ticks of all processes on all processors, interrupts apart."""
    user, nice, system = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:4]
    return int(user) + int(nice) + int(system)


def _ours(sessions, postmaster):
    """Ticks of ourselves, the load generators (which have ended), the contestants and PostgreSQL."""
    times = os.times()
    ourselves = times.user + times.children_user + times.system + times.children_system
    return ourselves * TICKS + sum(_used(session, postmaster=None) for session in sessions) + _used(None, postmaster)


def _used(session, postmaster):
    """Ticks of a session and of PostgreSQL, those of their ended processes included."""
    return sum(
        stat["ticks"] for stat in stats() if stat["session"] == session or postmaster in (stat["parent"], stat["pid"])
    )


def stats():
    """Some fields of /proc/*/stat."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = path.read_text()
        except OSError:
            continue  # it ended
        fields = text.rpartition(")")[2].split()
        yield {
            "pid": int(path.parent.name),
            "parent": int(fields[1]),
            "session": int(fields[3]),
            "ticks": sum(map(int, fields[11:15])),
        }


def memory(session):
    """(now, at most ever) in MiB: resident memory of all processes of a session together."""
    now = most = 0
    for stat in stats():
        if stat["session"] != session:
            continue
        try:
            status = Path(f"/proc/{stat['pid']}/status").read_text()
        except OSError:
            continue
        now += int(re.search(r"VmRSS:\s*(\d+)", status)[1])
        most += int(re.search(r"VmHWM:\s*(\d+)", status)[1])
    return now / 1024, most / 1024
