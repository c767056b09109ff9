"""Token checks at a steady rate while logins arrive at fifty times what can be served."""

import json
import os
import statistics
import subprocess
import threading
import time

from . import contestants, data, load, machine, rounds
from .checks import STORES

TIMES = 50
CHECKS = {
    "countersign": 1000,
    "django": 100,
}  # a second: for each a load that it bears easily when nothing else happens


def storm(work, run):
    """One store: Countersign, and Django in a storm of its own capacity for comparison."""
    store = work.partition("-")[2]
    choice = run.choice()
    database = data.made(store, choice, run.few)
    headers = data.headers("token", choice, run.few)
    bodies = data.FOLDER / "credentials"
    bodies.write_text(
        "".join(json.dumps({"username": f"user{n}", "password": data.PASSWORD}) + "\n" for n in range(1, run.few + 1))
    )
    phases = (5, 10, 5) if run.quick else (30, 60, 30)
    results = {}
    for kind in (contestants.Countersign, contestants.Django):
        contestant = kind(choice, database, run.folder).start()
        try:
            load.checks(contestant, "/api/whoami/", headers, 1)
            capacity = load.posts(contestant, "/api/token/", bodies, 4 if run.quick else 15, 32)["rate"]
            time.sleep(2)
            results[contestant.name] = _one(contestant, capacity, phases, headers, bodies, run)
        finally:
            contestant.stop()
    return {
        "kind": "storm", "title": f"Login storm, {STORES[store]}", "phases": phases, "results": results,
        "names": {"countersign": contestants.Countersign.title, "django": contestants.Django.title},
    }  # fmt: skip


def _one(contestant, capacity, phases, headers, bodies, run):
    """The storm on one contestant: every outcome is read, tables of them are kept."""
    over, memory = threading.Event(), []
    began = time.monotonic()

    def sample():
        while not over.wait(1):
            memory.append((round(time.monotonic() - began, 1), round(machine.memory(contestant.session)[0], 1)))

    sampler = threading.Thread(target=sample)
    sampler.start()
    command = [
        os.environ["STORM_BIN"], contestant.port, CHECKS[contestant.name], capacity * TIMES, *phases, headers, bodies,
    ]  # fmt: skip
    with machine.watch(contestant.session, {contestant.session}, run.postmaster) as usage:
        result = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=True)
    over.set()
    sampler.join()
    checks, logins = [], []
    for line in result.stdout.splitlines():
        kind, due, status, latency, retry = line.split()
        (checks if kind == "c" else logins).append((float(due), int(status), float(latency) * 1000, retry == "1"))
    before, during, _ = phases
    return {
        "capacity": capacity, "checks_a_second": CHECKS[contestant.name], "logins_a_second": capacity * TIMES,
        "others": usage.others, "memory": memory, "peak": rounds.memory([contestant])[contestant.name],
        "checks": {
            name: _quantiles([row for row in checks if start <= row[0] < end])
            for name, start, end in (
                ("before", 0, before), ("during", before, before + during), ("after", before + during, sum(phases)),
            )
        },
        "logins": _fates(logins, during),
        "timeline": [
            (second, _quantile(latencies, 0.5), _quantile(latencies, 0.99))
            for second in range(sum(phases))
            if (latencies := sorted(row[2] for row in checks if int(row[0]) == second))
        ],
    }  # fmt: skip


def _quantiles(rows):
    """Percentiles of the latency in milliseconds, over all requests, answered or not."""
    latencies = sorted(row[2] for row in rows)
    return {
        "requests": len(rows), "failed": sum(row[1] != 200 for row in rows),
        "p50": _quantile(latencies, 0.5), "p99": _quantile(latencies, 0.99), "p99.9": _quantile(latencies, 0.999),
        "most": latencies[-1],
    }  # fmt: skip


def _quantile(values, share):
    return values[min(len(values) - 1, int(share * len(values)))]


def _fates(rows, seconds):
    """What became of the logins."""
    served = [row for row in rows if row[1] == 200]
    shed = [row for row in rows if row[1] in (503, 429)]
    lost = sum(row[1] == 0 for row in rows)
    refusals = sorted(row[2] for row in shed)
    return {
        "sent": len(rows), "served": len(served), "served_a_second": len(served) / seconds,
        "served_p50": statistics.median(row[2] for row in served) if served else None,
        "served_most": max((row[2] for row in served), default=None),
        "shed": len(shed), "without_retry_after": sum(not row[3] for row in shed),
        "shed_p50": _quantile(refusals, 0.5) if refusals else None,
        "shed_p99": _quantile(refusals, 0.99) if refusals else None, "shed_most": refusals[-1] if refusals else None,
        "lost": lost, "other": len(rows) - len(served) - len(shed) - lost,
    }  # fmt: skip


def start(_, run):
    """Milliseconds from the start of the process to the first answer."""
    choice = run.choice()
    accounts, names = {}, {}
    kinds = [contestants.Countersign, contestants.Django, *run.peers]
    for store in data.STORES:
        database = data.made(store, choice, run.few)
        for _round in range(run.rounds):
            for kind in kinds:
                if store == "sqlite" and kind in run.peers:
                    continue
                contestant = kind(choice, database, run.folder)
                contestant.name = f"{kind.name}-{store}"
                began = time.monotonic()
                try:
                    contestant.start()
                    accounts.setdefault(contestant.name, []).append({"rate": (time.monotonic() - began) * 1000})
                finally:
                    contestant.stop()
                names[contestant.name] = f"{kind.title}, {STORES[store]}"
    return {
        "kind": "start", "title": "From the start of the process to the first answer", "unit": "ms",
        "accounts": accounts, "names": names,
    }  # fmt: skip
