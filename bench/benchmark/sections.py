"""What each kind of work contributes to the report: rows of the table of ratios, and a text with all its figures."""

from .markdown import between, number, plain, table
from .rounds import picked, ratios, spread

DJANGOS = ("django", "django-threads")
OTHERS = {"empty": "empty axum", "axum-sqlx": "axum + sqlx", "fastify": "fastify"}
# What the issues ask for: Countersign over the better Django, and over the empty handler.
GOALS = {
    "token-sqlite": {"django": 45, "empty": 0.70},
    "jwt-sqlite": {"django": 42},
    "stateless-sqlite": {"django": 36, "empty": 0.78},
    "token-postgres": {"django": 28},
    "jwt-postgres": {"django": 25},
    "refresh-sqlite": {"django": 20},
    "refresh-postgres": {"django": 20},
    "login-pbkdf2": {"django": 7},
}
WITHOUT_AVX512 = 3.5
SIZE, LATENCY, FIRST_ANSWER, MEMORY, DISTURBANCE, REFUSAL, TELLING, SESSIONS = 0.8, 0.5, 50, 40, 3, 50, 4.5, 0.95


def row(title, against, values, goal=None, least=True, others=()):
    """One row of the table of ratios: (lowest, median, highest), and what it should be at least, or at most."""
    low, middle, high = values
    text = "" if goal is None else f"{goal:g}" if least else f"at most {goal:g}"
    if goal is not None and (middle >= goal) is not least and middle != goal:
        text = f"**{text}**, missed"
    raw, cost = map(number, others) if others else ("", "")
    return title, against, number(middle), between(low, high) if low != high else "", text, raw, cost


def compared(title, against, ours, theirs, goal=None):
    """Rates over rates, round by round, and their processor time over ours."""
    corrected, raw = (
        ratios([turn[key] for turn in ours], [turn[key] for turn in theirs]) for key in ("corrected", "rate")
    )
    cost = ratios([turn["cost"] for turn in theirs], [turn["cost"] for turn in ours])
    return row(title, against, corrected, goal, others=(raw[1], cost[1]))


def beside_rows(work, result):
    """Against the better Django, the empty handler and the services."""
    goals, accounts = GOALS.get(work, {}), result["accounts"]
    django = max(filter(accounts.get, DJANGOS), key=lambda name: spread(picked(accounts, "corrected")[name])[1])
    title = ", ".join(result["title"].split(", ")[:2])
    return [
        compared(title, f"× {text}", accounts["countersign"], accounts[name], goals.get(goal))
        for name, goal, text in ((django, "django", "Django"), *((name, name, text) for name, text in OTHERS.items()))
        if name in accounts
    ]


def beside_text(result):
    """All figures of servers that took turns."""
    accounts = result["accounts"]
    rows = []
    for name, title in result["names"].items():
        low, middle, high = spread(picked(accounts)[name])
        medians = {key: spread(picked(accounts, key)[name])[1] for key in ("others", "corrected", "cost", "p99")}
        memory = number(result["memory"][name]) if "memory" in result else ""
        rows.append(
            (
                title, number(middle), between(low, high), f"{medians['others']:.0%}", number(medians["corrected"]),
                number(medians["cost"]), number(medians["p99"]), memory,
            )
        )  # fmt: skip
    columns = (
        "", result["unit"], "lowest–highest", "others took", "corrected", "processor, µs", "p99, ms", "memory, MiB",
    )  # fmt: skip
    parts = [
        f"{result['date']}, {result['rounds']} rounds of {result['seconds']} s in turn; medians.",
        table(columns, rows),
    ]
    for name, plan in result.get("plans", {}).items():
        parts.append(f"PostgreSQL's plan, {name}:\n\n```text\n" + "\n".join(plan) + "\n```")
    return "\n\n".join(parts)


def sizes_rows(_, result):
    """Many users over few."""
    (_, few), *many = result["accounts"].items()
    title = result["title"].removesuffix(", many users beside few")
    return [compared(f"{title}: {result['names'][name]}", "× few users", turns, few, SIZE) for name, turns in many]


def marks_rows(_, result):
    """With sessions over without."""
    (_, off), *on = result["accounts"].items()
    title = result["title"].partition(", with")[0]
    return [compared(f"{title}, {result['names'][name]}", "× sessions off", turns, off, SESSIONS) for name, turns in on]


def logins_rows(work, result):
    """Against Django and the services, by number of clients."""
    title = result["title"].removesuffix(", PostgreSQL")
    rows = []
    for clients, accounts in result["by_clients"].items():
        for other, name in {"django": "Django", **OTHERS}.items():
            if other in accounts:
                goal = GOALS.get(work, {}).get(other) if int(clients) >= 32 else None
                what = f"{title}; clients: {clients}"
                rows.append(compared(what, f"× {name}", accounts["countersign"], accounts[other], goal))
        if "countersign-sha" in accounts:
            goal = WITHOUT_AVX512 if int(clients) >= 32 else None
            what = f"{title}, AVX-512 switched off; clients: {clients}"
            rows.append(compared(what, "× Django", accounts["countersign-sha"], accounts["django"], goal))
    half = picked(result["by_clients"]["1"], "p50")
    latency = ratios(half["countersign"], half["django"])
    goal = LATENCY if work in GOALS else None  # argon2 is as quick as its memory is, whoever asks for it
    return [*rows, row(f"{title}; one alone: latency", "× Django", latency, goal, least=False)]


def logins_text(result):
    """Served a second by number of clients, latencies and what was shed."""
    rows = []
    for name, title in result["names"].items():
        for clients, accounts in result["by_clients"].items():
            turns = accounts[name]
            low, middle, high = spread([turn["rate"] for turn in turns])
            medians = [number(spread([turn[key] for turn in turns])[1]) for key in ("corrected", "p50", "p99", "cost")]
            shed, asked = (sum(turn[key] for turn in turns) for key in ("shed", "requests"))
            others = spread([turn["others"] for turn in turns])[1]
            served = [number(middle), between(low, high), f"{others:.0%}"]
            rows.append((title, clients, *served, *medians, f"{shed / max(1, asked):.0%}"))
    columns = (
        "", "clients", "logins/s", "lowest–highest", "others took", "corrected", "p50, ms", "p99, ms", "processor, µs",
        "shed with 503",
    )  # fmt: skip
    memory = ", ".join(
        f"{plain(result['names'][name])} {number(value)} MiB" for name, value in result["memory"].items()
    )
    turns = len(next(iter(next(iter(result["by_clients"].values())).values())))
    return "\n\n".join(
        [
            f"{result['date']}, {turns} rounds in turn; medians. A turn is a fixed number of logins; latencies are of"
            " all answers.",
            table(columns, rows),
            f"Most memory held: {memory}.",
        ]
    )


def start_rows(_, result):
    """Countersign's own, against the goal."""
    rows = []
    for name, figures in picked(result["accounts"]).items():
        if name.startswith("countersign"):
            title = f"First answer after start, {result['names'][name].partition(', ')[2]}"
            rows.append(row(title, "ms", spread(figures), FIRST_ANSWER, least=False))
    return rows


def start_text(result):
    """Everybody's."""
    rows = []
    for name, figures in picked(result["accounts"]).items():
        low, middle, high = spread(figures)
        rows.append((result["names"][name], number(middle), between(low, high)))
    return f"{result['date']}, {result['rounds']} starts in turn.\n\n" + table(
        ("", "ms, median", "lowest–highest"), rows
    )


def storm_rows(_, result):
    """What the storm does to the checks, and what becomes of the logins."""
    ours, title = result["results"]["countersign"], result["title"]
    checks, logins = ours["checks"], ours["logins"]
    unanswered = logins["lost"] + logins["other"] + logins["without_retry_after"]

    def one(what, against, value, goal):
        return row(f"{title}: {what}", against, (value, value, value), goal, least=False)

    asked = sum(phase["requests"] for phase in checks.values())
    return [
        one("p99 of token checks", "× before", checks["during"]["p99"] / checks["before"]["p99"], DISTURBANCE),
        one("token checks failed", f"of {asked:,}", sum(phase["failed"] for phase in checks.values()), 0),
        one("logins neither served nor refused with Retry-After", f"of {logins['sent']:,}", unanswered, 0),
        one("p99 of refusals", "ms", logins["shed_p99"] or 0, REFUSAL),
        one("slowest refusal", "ms", logins["shed_most"] or 0, REFUSAL),
        one("most memory", "MiB", ours["peak"], MEMORY),
    ]


def storm_text(result):
    """Percentiles by phase, fates of the logins, memory."""
    before, during, after = result["phases"]
    first = next(iter(result["results"].values()))
    checks, logins, memory = [], [], []
    for name, measured in result["results"].items():
        title = result["names"][name]
        for phase, figures in measured["checks"].items():
            latencies = [number(figures[key]) for key in ("p50", "p99", "p99.9", "most", "late_p99")]
            when = f"{phase}, {measured['checks_a_second']}/s"
            checks.append((title, when, f"{figures['requests']:,}", figures["failed"], *latencies))
        fate = measured["logins"]
        counts = [f"{fate[key]:,}" for key in ("sent", "served", "shed", "without_retry_after", "lost", "other")]
        latencies = [number(fate[key]) for key in ("served_p50", "served_most", "shed_p50", "shed_p99", "shed_most")]
        logins.append((title, number(measured["capacity"]), *counts, *latencies))
        sizes = [size for _, size in measured["memory"]]
        idle = [size for second, size in measured["memory"] if second < before] or sizes[:1]
        held = map(number, (idle[-1], max(sizes), sizes[-1], measured["peak"]))
        memory.append((title, *held, f"{measured['others']:.0%}"))
    return "\n\n".join(
        [
            f"{result['date']}. Token checks at a steady rate for {before} s; then, besides, logins at 50 times"
            f" capacity for {during} s, each from a client of its own; then {after} s of checks alone. The empty handler"
            " gets Countersign's logins and answers 404. The clients' threads had"
            + (" real-time priority." if first["comes_first"] else " the priority of all others."),
            table(
                ("Token checks, ms", " when", "requests", "failed", "p50", "p99", "p99.9", "most", "sent late: p99"),
                checks,
            ),
            table(
                (
                    "Logins", "capacity a second", "sent", "served", "shed with 503", "of these without Retry-After",
                    "lost", "other", "served: p50, ms", "most", "shed: p50, ms", "p99", "most",
                ),
                logins,
            ),
            table(("Memory, MiB", "before", "at most", "at the end", "ever", "others took"), memory),
        ]
    )  # fmt: skip


def timing_rows(_, result):
    """The pair of kinds that can be told apart best."""
    rows = []
    for phase, figures in result["phases"].items():
        most = max(abs(t) for both in figures["t"].values() for t in both)
        when = phase if phase == "alone" else f"{phase} {result['others']} others"
        rows.append(row(f"{result['title']}, {when}: greatest Welch's t", "±", (most, most, most), TELLING, least=False))
    return rows


def timing_text(result):
    """Times of each kind, t of each pair."""
    alone, beside = (result["phases"][phase] for phase in ("alone", "beside"))
    others = f"beside {result['others']} others"
    times = [
        (kind, *(number(value / 1000) for phase in (alone, beside) for value in phase["medians"][kind]))
        for kind in alone["medians"]
    ]
    pairs = [(pair, *(f"{t:.2f}" for phase in (alone, beside) for t in phase["t"][pair])) for pair in alone["t"]]
    return "\n\n".join(
        [
            f"{result['date']}. Inside one process, without HTTP. Beyond about {TELLING} either way, times differ; *cropped*"
            " leaves out a tenth of all samples, the slowest.",
            table(("Refused login, ms", "alone: median", "mean", f"{others}: median", "mean"), times),
            table(("Welch's t", "alone: all", "cropped", f"{others}: all", "cropped"), pairs),
        ]
    )


ROWS = {
    "beside": beside_rows, "sizes": sizes_rows, "posts": beside_rows, "logins": logins_rows, "start": start_rows,
    "storm": storm_rows, "timing": timing_rows, "marks": marks_rows,
}  # fmt: skip
TEXTS = {
    "beside": beside_text, "sizes": beside_text, "posts": beside_text, "logins": logins_text, "start": start_text,
    "storm": storm_text, "timing": timing_text, "marks": beside_text,
}  # fmt: skip
