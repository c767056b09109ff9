"""Drives wrk."""

import json
import subprocess

from .contestants import BENCH

CLIENTS = 32


class Refused(Exception):
    """A contestant answered something else than 200."""


def checks(contestant, path, headers, seconds, clients=CLIENTS):
    """GETs `path` for some seconds with the Authorization headers of a file in turn; wrk's account."""
    account = _wrk(contestant, path, "load.lua", [headers], seconds, clients)
    if account["refused"] or account["failed"]:
        raise Refused(f"{contestant.name} {path}: {account}\n{contestant.log}")
    return account


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
