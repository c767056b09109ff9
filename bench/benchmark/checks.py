"""Checks of tokens and JWTs: requests a second beside the others, and with many users beside few."""

from contextlib import ExitStack

from . import contestants, data, load, rounds

PATHS = {"token": "/api/whoami/", "jwt": "/api/whoami/", "stateless": "/stateless/"}
NAMES = {"token": "DRF token check", "jwt": "JWT check with user row", "stateless": "stateless JWT check"}
STORES = {"sqlite": "SQLite", "postgres": "PostgreSQL"}
STATELESS = {"path": "/stateless/", "authentication": ["jwt_stateless"], "permission": "is_authenticated"}


def beside(work, run):
    """One kind of check on one store, all contestants in turn."""
    kind, store = work.split("-")
    choice = run.choice(protected=(STATELESS,))
    database = data.made(store, choice, run.few)
    headers = data.headers("jwt" if kind == "stateless" else kind, choice, run.few)
    kinds = [contestants.EmptyAxum, contestants.Countersign, contestants.Django, contestants.ThreadedDjango]
    if store == "postgres":
        kinds += [contestants.ReconnectingDjango, *run.peers]

    def measure(contestant):
        path = PATHS["token"] if contestant.name == "empty" else PATHS[kind]
        return load.checks(contestant, path, headers, run.seconds)

    with ExitStack() as stack:
        started = run.start(stack, kinds, choice, database)
        for contestant in started:  # so that nobody's first round is a cold one
            path = PATHS["token"] if contestant.name == "empty" else PATHS[kind]
            load.checks(contestant, path, headers, 1)
        figures = rounds.measured(started, measure, run)
    return {
        "kind": "beside", "title": f"{NAMES[kind]}, {STORES[store]}, {run.few:,} users", "unit": "requests/s",
        **figures,
    }  # fmt: skip


class Sized(contestants.Countersign):
    """Countersign on a database of some size, asked for some number of distinct users."""

    def __init__(self, choice, database, folder, kind, users, distinct):
        self.name, self.title = f"{users}-{distinct}", f"{users:,} users, {distinct:,} of them asked for"
        super().__init__(choice, database, folder)
        self.headers = data.headers(kind, choice, users, distinct)


def sizes(work, run):
    """One kind of check on one store with many users and with few."""
    kind, store, _ = work.split("-")
    choice = run.choice()
    asked = [(run.few, run.few)]
    for many in run.many:
        asked += [(many, run.few), (many, 100_000)]
    databases = {users: data.made(store, choice, users) for users, _ in asked}
    with ExitStack() as stack:
        started = []
        for users, distinct in asked:
            started.append(Sized(choice, databases[users], run.folder, kind, users, distinct))
            stack.callback(started[-1].stop)
            started[-1].start()

        def measure(contestant):
            return load.checks(contestant, PATHS[kind], contestant.headers, run.seconds)

        for contestant in started:  # the caches of the database know everybody who will ask
            asked, distinct = 0, int(contestant.name.partition("-")[2])
            while asked < distinct:
                asked += load.checks(contestant, PATHS[kind], contestant.headers, 3)["served"]
        accounts = rounds.alternate(started, measure, run.rounds, run.postmaster, run.patience)
    result = {
        "kind": "sizes", "title": f"{NAMES[kind]}, {STORES[store]}, many users beside few", "unit": "requests/s",
        "accounts": accounts, "names": {c.name: c.title for c in started},
    }  # fmt: skip
    if store == "postgres":
        result["plans"] = data.plans(databases[run.many[-1]], run.many[-1])
    return result
