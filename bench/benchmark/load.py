"""Drives the generators of load: wrk, and our own where it must be a fixed number of requests or an open loop."""

import json
import os
import subprocess
import time

from .contestants import BENCH

CLIENTS = 64


class Refused(Exception):
    """A contestant answered something else than 200."""


def checks(contestant, path, headers, seconds, clients=CLIENTS):
    """GETs `path` for some seconds with the Authorization headers of a file in turn; wrk's account."""
    account = _wrk(contestant, path, "load.lua", [headers], seconds, clients)
    if account["refused"] or account["failed"]:
        raise Refused(f"{contestant.name} {path}: {account}\n{contestant.log}")
    return account


def burst(contestant, bodies, clients, requests):
    """A fixed number of logins by clients that wait for their answers; an account as wrk's, in which `rate` is what
    was served until all were answered. Where hashing is the work, turns of fixed length would cut much of it off."""
    began = time.monotonic()
    outcomes = storm("burst", contestant.port, clients, requests, bodies)["l"]
    seconds = time.monotonic() - began
    latencies = sorted(outcome["ms"] for outcome in outcomes)
    statuses = [outcome["status"] for outcome in outcomes]
    served, shed, failed = (statuses.count(status) for status in (200, 503, 0))
    return {
        "requests": requests, "seconds": seconds, "served": served, "shed": shed, "failed": failed,
        "refused": requests - served - shed - failed, "rate": served / seconds,
        "p50": quantile(latencies, 0.5), "p99": quantile(latencies, 0.99),
    }  # fmt: skip


def storm(*arguments):
    """Runs bench/storm; its outcomes by kind, `c` for checks and `l` for logins, and whether it had real-time priority."""
    command = [os.environ["STORM_BIN"], *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    found = {"c": [], "l": [], "comes_first": False}
    for line in result.stdout.splitlines():
        kind, *fields = line.split()
        if kind == "g":
            found["comes_first"] = fields == ["1"]
            continue
        due, status, latency, retry, late = fields
        found[kind].append(
            {
                "due": float(due), "status": int(status), "ms": float(latency) * 1000, "retry": retry == "1",
                "late": float(late) * 1000,
            }
        )  # fmt: skip
    return found


def quantile(values, share):
    """Of sorted values."""
    return values[min(len(values) - 1, int(share * len(values)))] if values else None


def posts(contestant, path, bodies, seconds, clients, rotating=False):
    """POSTs the bodies of a file in turn; wrk's account, in which `rate` counts what was served."""
    arguments = [bodies, "rotate"] if rotating else [bodies]
    account = _wrk(contestant, path, "post.lua", arguments, seconds, clients)
    if account["refused"] or account["failed"]:
        raise Refused(f"{contestant.name} {path}: {account}\n{contestant.log}")
    return account


def _wrk(contestant, path, script, arguments, seconds, clients):
    command = [
        "wrk", "-t1", f"-c{clients}", f"-d{seconds}s", "--timeout", "300s", "-s", str(BENCH / script),
        contestant.url + path, "--", *map(str, arguments),
    ]  # fmt: skip
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    account = json.loads(result.stdout.strip().rpartition("\n")[2])
    account.setdefault("served", account["requests"])
    account["rate"] = account["served"] / account["seconds"]
    return account
