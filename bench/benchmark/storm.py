"""Token checks at a steady rate while logins arrive at fifty times what can be served."""

import json
import threading
import time

from . import contestants, data, load, machine, rounds
from .checks import STORES

TIMES = 50
CHECKS = {
    "countersign": 1000,
    "empty": 1000,
    "django": 100,
}  # a second: for each a load that it bears easily when nothing else happens


def storm(work, run):
    """One store: Countersign; the empty handler in the same storm of requests, which it answers at once, to see what the
    kernel and the HTTP server alone do to the checks; and Django in a storm of its own capacity."""
    store = work.partition("-")[2]
    choice = run.choice()
    database = data.made(store, choice, run.few)
    headers = data.headers("token", choice, run.few)
    bodies = data.FOLDER / "credentials"
    bodies.write_text(
        "".join(json.dumps({"username": f"user{n}", "password": data.PASSWORD}) + "\n" for n in range(1, run.few + 1))
    )
    phases = (5, 10, 5) if run.quick else (30, 60, 30)
    results, capacity = {}, 0
    kinds = (contestants.Countersign, contestants.EmptyAxum, contestants.Django)
    for kind in kinds:
        contestant = kind(choice, database, run.folder).start()
        try:
            load.checks(contestant, "/api/whoami/", headers, 1)
            if kind is not contestants.EmptyAxum:
                capacity = load.burst(contestant, bodies, 32, 16 if run.quick else 96)["rate"]
            time.sleep(2)
            results[contestant.name] = _one(contestant, capacity, phases, headers, bodies, run)
        finally:
            contestant.stop()
    return {
        "kind": "storm", "title": f"Login storm, {STORES[store]}", "phases": phases, "results": results,
        "names": {kind.name: kind.title for kind in kinds},
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
    rates = CHECKS[contestant.name], capacity * TIMES
    with machine.watch(contestant.session, {contestant.session}, run.postmaster) as usage:
        outcomes = load.storm(contestant.port, *rates, *phases, headers, bodies)
    over.set()
    sampler.join()
    checks, logins = outcomes["c"], outcomes["l"]
    before, during, _ = phases
    return {
        "comes_first": outcomes["comes_first"],
        "capacity": capacity, "checks_a_second": rates[0], "logins_a_second": rates[1],
        "others": usage.others, "memory": memory, "peak": rounds.memory([contestant])[contestant.name],
        "checks": {
            name: _quantiles([row for row in checks if start <= row["due"] < end])
            for name, start, end in (
                ("before", 0, before), ("during", before, before + during), ("after", before + during, sum(phases)),
            )
        },
        "logins": _fates(logins),
        "timeline": [
            (second, load.quantile(latencies, 0.5), load.quantile(latencies, 0.99))
            for second in range(sum(phases))
            if (latencies := sorted(row["ms"] for row in checks if int(row["due"]) == second))
        ],
    }  # fmt: skip


def _quantiles(rows):
    """Percentiles of the latency in milliseconds, over all requests, answered or not."""
    latencies = sorted(row["ms"] for row in rows)
    return {
        "requests": len(rows), "failed": sum(row["status"] != 200 for row in rows),
        "p50": load.quantile(latencies, 0.5), "p99": load.quantile(latencies, 0.99),
        "p99.9": load.quantile(latencies, 0.999), "most": latencies[-1],
        "late_p99": load.quantile(sorted(row["late"] for row in rows), 0.99),
    }  # fmt: skip


def _fates(rows):
    """What became of the logins."""
    served = sorted(row["ms"] for row in rows if row["status"] == 200)
    shed = [row for row in rows if row["status"] in (503, 429)]
    lost = sum(row["status"] == 0 for row in rows)
    refusals = sorted(row["ms"] for row in shed)
    return {
        "sent": len(rows), "served": len(served), "served_p50": load.quantile(served, 0.5),
        "served_most": load.quantile(served, 1), "shed": len(shed),
        "without_retry_after": sum(not row["retry"] for row in shed), "shed_p50": load.quantile(refusals, 0.5),
        "shed_p99": load.quantile(refusals, 0.99), "shed_most": load.quantile(refusals, 1), "lost": lost,
        "other": len(rows) - len(served) - len(shed) - lost,
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
