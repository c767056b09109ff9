"""Three Countersigns on one PostgreSQL behind nginx, under load, while a node dies and the database restarts.

The load is of every kind, valid and not. Requests may fail in the trouble (5xx), but none is answered
wrongly, and all of it ends without help.
"""

import http.client
import signal
import threading
import time

import pytest
from conftest import PASSWORD
from harness import database, scripts
from harness.choice import Choice
from harness.hashing import made_by_django
from harness.nginx import Nginx, route, upstream
from harness.ports import free_port
from harness.postgres import Cluster, PostgresStages
from harness.servers import Countersign, Django
from harness.traffic import Traffic

NODES = 3
AMOUNT = 1500  # requests of each stretch of quiet
LOST = 400  # requests that must fail while the database is down
NOTICE = 10.0  # seconds within which a node says that the database is gone
RECOVERY = 10.0  # seconds within which all is well after the database is back
SHORT = '\n[postgresql]\nconnect_timeout = "2s"\nstatement_timeout = "2s"\n'
SHARE = 2.0  # seconds within which nginx sends a dead node's requests to the others
CHOICE = Choice(simple_jwt={"ROTATE_REFRESH_TOKENS": True, "BLACKLIST_AFTER_ROTATION": True})


class Watch:
    """Asks every node for /healthz and /readyz over and over, and notes each answer with its time."""

    def __init__(self, nodes):
        self.nodes, self.seen = nodes, []
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._work, args=(node,), daemon=True) for node in nodes]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        for thread in self._threads:
            thread.join(30)

    def _work(self, node):
        while not self._over.wait(0.02):
            for path in ("/healthz", "/readyz"):
                started = time.monotonic()
                status = probe(node, path)
                self.seen.append((node, path, status, started, time.monotonic()))

    def statuses(self, path, since=0.0, until=float("inf"), nodes=None):
        """What the nodes said of themselves in probes that lie wholly between two instants."""
        return {
            status
            for node, asked, status, started, ended in list(self.seen)
            if asked == path and since <= started and ended <= until and (nodes is None or node in nodes)
        }

    def wait_until(self, status, nodes, deadline):
        """Waits until each node says this at /readyz; the seconds it took."""
        start = time.monotonic()
        for node in nodes:
            while self.statuses("/readyz", start, nodes=[node]) == set() or self._last(node) != status:
                if time.monotonic() - start > deadline:
                    raise AssertionError(f"{node.name}: /readyz says {self._last(node)}, not {status}\n{node.log}")
                time.sleep(0.01)
        return time.monotonic() - start

    def _last(self, node):
        return next(s for n, path, s, *_ in reversed(list(self.seen)) if n is node and path == "/readyz")


def probe(node, path):
    """Status of a GET, None when nobody answers."""
    try:
        return node.send("GET", path).status
    except (OSError, AssertionError, http.client.HTTPException):
        return None


@pytest.fixture
def cluster():
    cluster = Cluster()
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.close()


@pytest.fixture
def more(request):
    """Further lines of the nodes' configuration."""
    return getattr(request, "param", "")


@pytest.fixture
def nodes(cluster, folders, more):
    """Three nodes on a database with users; each has a port that it gets again."""
    folder = folders()
    shared = PostgresStages(cluster.url).empty(folder)
    made = Django(CHOICE, shared).run("migrate")
    assert made.returncode == 0, made.stderr
    hashed = made_by_django(PASSWORD)
    database.add_users(shared, [{"username": f"client{number}", "password": hashed} for number in range(8)])
    shared.close()
    nodes = []
    for number in range(NODES):
        text = CHOICE.countersign(shared, f"127.0.0.1:{free_port()}") + more
        node = Countersign(CHOICE, shared, folder / f"node{number}", text)
        node.name = f"node{number}"
        nodes.append(node)
    try:
        yield [node.start() for node in nodes]
    finally:
        for node in nodes:
            node.stop()


@pytest.fixture
def nginx(nodes, folders):
    nginx = Nginx(folders())
    nginx.start([upstream("nodes", *nodes)], [route("/", "nodes")])
    yield nginx
    nginx.stop()


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_a_node_dies_and_the_database_restarts(cluster, nodes, nginx, account, mode):
    """Whether the database stops in order or crashes: no wrong answer, recovery by itself, and every node tells the truth about itself all the while."""
    work, sessions = load(nodes)
    dying, rest = nodes[0], nodes[1:]
    with Watch(nodes) as watch, Traffic(nginx.port).start(work) as traffic:
        traffic.wait_for(AMOUNT)
        killed = time.monotonic()
        dying.kill()
        traffic.wait_for(AMOUNT)
        stopping = time.monotonic()
        cluster.stop(mode)
        stopped = time.monotonic()
        noticed = watch.wait_until(503, rest, NOTICE)
        wait_for_losses(traffic, stopped)
        starting = time.monotonic()
        cluster.start()
        started = time.monotonic()
        ready = watch.wait_until(200, rest, RECOVERY)
        traffic.wait_for(AMOUNT)
        again = time.monotonic()
        dying.start()
        watch.wait_until(200, nodes, RECOVERY)
        traffic.wait_for(AMOUNT)
    lost = [at for at, *_ in traffic.lost]
    healed = max((at - started for at in lost), default=0.0)
    account(
        f"{NODES} nodes: one killed, PostgreSQL down for {started - stopped:.2f} s\n"
        f"requests lost: {sum(killed <= at < stopping for at in lost)} by the kill, "
        f"{sum(at >= stopping for at in lost)} by the restart\n"
        f"seconds until nodes noticed {noticed:.2f}, were ready again {ready:.2f}, "
        f"last lost request after the start {max(healed, 0.0):.2f}",
        traffic,
    )
    assert traffic.wrong == []
    assert [at - killed for at in lost if at < killed or killed + SHARE < at < stopping] == []
    assert healed <= RECOVERY
    assert [at - killed for at, _, status in traffic.lost if status is None and at > killed + SHARE] == []

    assert watch.statuses("/healthz", nodes=rest) == {200}
    assert watch.statuses("/readyz", until=stopping, nodes=rest) == {200}
    assert watch.statuses("/readyz", stopped, starting, rest) == {503}
    assert watch.statuses("/readyz", started + ready, nodes=rest) == {200}
    assert watch.statuses("/readyz", again + RECOVERY) <= {200}

    assert_recorded(nodes[0].database, sessions)


@pytest.mark.parametrize("more", [SHORT], ids=["short"], indirect=True)
def test_the_database_hangs(cluster, nodes, nginx, account):
    """A database that takes connections and says nothing, as behind a cut cable: nodes say so in time, answer 5xx
    instead of waiting on, and are well again when it is."""
    work, sessions = load(nodes)
    with Watch(nodes) as watch, Traffic(nginx.port).start(work) as traffic:
        traffic.wait_for(AMOUNT)
        stopping = time.monotonic()
        cluster.signal(signal.SIGSTOP)
        try:
            noticed = watch.wait_until(503, nodes, NOTICE)
            wait_for_losses(traffic, stopping, len(work))
        finally:
            starting = time.monotonic()
            cluster.signal(signal.SIGCONT)
        ready = watch.wait_until(200, nodes, RECOVERY)
        traffic.wait_for(AMOUNT)
    lost = [at - starting for at, *_ in traffic.lost]
    account(
        f"{NODES} nodes: PostgreSQL silent for {starting - stopping:.2f} s, {len(lost)} requests lost\n"
        f"seconds until nodes noticed {noticed:.2f}, were ready again {ready:.2f}, "
        f"last lost request after the end {max(0.0, *lost):.2f}",
        traffic,
    )
    assert traffic.wrong == []
    assert max(lost) <= RECOVERY
    assert {status for _, _, status in traffic.lost} <= {500, 503, 504}
    assert watch.statuses("/healthz") == {200}
    assert watch.statuses("/readyz", until=stopping) == {200}
    assert watch.statuses("/readyz", starting + ready) == {200}
    assert_recorded(nodes[0].database, sessions)


def load(nodes):
    """Scripts of every kind for as many clients, and the sessions among them."""
    people = [scripts.person(node, f"client{at}", PASSWORD) for at, node in enumerate([*nodes, *nodes])]
    sessions = [scripts.Session(person) for person in people]
    work = [
        people[0].checks, people[1].checks, people[2].logs_in, people[3].is_impersonated,
        sessions[4].rotates, sessions[5].rotates, sessions[0].ends,
    ]  # fmt: skip
    return work, sessions


def assert_recorded(shared, sessions):
    """Every refresh token that a client received is on record, and the used-up ones as such."""
    stored = {
        row["token"]: row["blacklisted"]
        for row in database.rows(
            shared,
            """SELECT o.token, b.id IS NOT NULL AS blacklisted FROM token_blacklist_outstandingtoken o
               LEFT JOIN token_blacklist_blacklistedtoken b ON b.token_id = o.id""",
        )
    }
    for session in sessions:
        assert set(session.given) <= set(stored)
        assert all(stored[token] for token in session.used)


def wait_for_losses(traffic, since, number=LOST, deadline=60.0):
    """Waits until clients have felt the outage."""
    end = time.monotonic() + deadline
    while sum(at >= since for at, *_ in list(traffic.lost)) < number:
        assert time.monotonic() < end, f"requests do not fail without a database:\n{traffic.table()}"
        time.sleep(0.01)
