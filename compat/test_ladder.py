"""The key ladder, rehearsed: from HS256 under Django's SECRET_KEY to EdDSA, with two nodes and Django verifying throughout."""

import json
import subprocess
import threading
import time
from base64 import urlsafe_b64decode
from contextlib import ExitStack

from conftest import PASSWORD
from harness.choice import Choice
from harness.servers import Countersign, Django
from test_sessions import ON

ROTATION = {"ROTATE_REFRESH_TOKENS": True, "BLACKLIST_AFTER_ROTATION": True}
KEYS = '\n[keys]\nencryption_key = "{}"\nreload_interval = "200ms"\n'.format("5e" * 32)
CLIENTS = 4
DEADLINE = 60.0


class WithKeys(Django):
    """Django with the module that `countersign keys publish` prints beside its settings."""

    def environment(self):
        found = super().environment()
        return {**found, "PYTHONPATH": f"{found['PYTHONPATH']}:{self.folder}"}


class Clients:
    """Users who log in once, show their access token to every server in turn, and refresh: no answer but 200 will do."""

    def __init__(self, nodes, django):
        self.nodes, self.django = nodes, django
        self.answers, self.wrong, self.rounds = {}, [], [0] * CLIENTS
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._work, args=(number,), daemon=True) for number in range(CLIENTS)]

    def _work(self, number):
        tokens = self._ask("login", self.nodes[0], "/api/token/", {"username": "alice", "password": PASSWORD})
        while not self._over.is_set() and tokens:
            for name, server in [("node", self.nodes[0]), ("node", self.nodes[1]), ("django", self.django)]:
                self._ask(name, server, None, tokens["access"])
            node = self.nodes[self.rounds[number] % 2]
            self._ask("verify", node, "/api/token/verify/", {"token": tokens["refresh"]})
            tokens = self._ask("refresh", node, "/api/token/refresh/", {"refresh": tokens["refresh"]})
            self.rounds[number] += 1

    def _ask(self, name, server, path, body):
        answer = server.whoami(f"Bearer {body}") if path is None else server.post(path, body)
        self.answers[name, answer.status] = self.answers.get((name, answer.status), 0) + 1
        if answer.status != 200:
            self.wrong.append((name, answer.status, answer.text))
            return None
        return answer.json()

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        """Lets every client finish its round."""
        self._over.set()
        for thread in self._threads:
            thread.join(60)

    def go_round(self, rounds=2):
        """Waits until every client has been at every server again."""
        goal = [made + rounds for made in self.rounds]
        until(lambda: self.wrong or all(made >= wanted for made, wanted in zip(self.rounds, goal, strict=True)))
        assert not self.wrong, self.wrong[:3]


def until(holds):
    end = time.monotonic() + DEADLINE
    while not holds():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def pasted(printed):
    """The module and the settings that a user would paste."""
    module, found = "", {}
    before, _, settings = printed.partition("# In Django's settings.")
    if "# countersign_keys.py" in before:
        module = before[before.index("# countersign_keys.py") :]
    exec(settings.split("\n", 1)[1], {"SIMPLE_JWT": found})  # noqa: S102
    return module, found


def test_from_djangos_secret_key_to_eddsa(new_database, tmp_path):
    """Zero refusals for good tokens, rung by rung; then the old key is refused everywhere."""
    choice = Choice(simple_jwt=ROTATION, sessions=ON)
    made = new_database()
    text = choice.countersign(made) + KEYS

    def keys(*arguments, fails=False) -> str:
        done: subprocess.CompletedProcess = nodes[0].run("keys", *arguments)
        assert (done.returncode != 0) == fails, done.stdout + done.stderr
        return done.stderr if fails else done.stdout

    with ExitStack() as stack:
        stack.callback(made.drop)
        nodes = [Countersign(choice, made, tmp_path / f"node{number}", text) for number in range(2)]
        assert nodes[0].run("migrate").returncode == 0
        for node in nodes:
            stack.enter_context(node)
        old = stack.enter_context(Django(choice, made, tmp_path / "old"))
        clients = stack.enter_context(Clients(nodes, old))
        clients.go_round()
        first = nodes[0].post("/api/token/", {"username": "alice", "password": PASSWORD}).json()

        assert "Nothing was done" in keys("generate", "--dry-run") and len(listed(keys)) == 1
        keys("generate")
        [kid] = [key["kid"] for key in listed(keys) if not key["configured"]]
        assert "publish it first" in keys("promote", kid, fails=True)
        module, settings = pasted(keys("publish", kid))
        until(lambda: all(kid in node.send("GET", "/.well-known/jwks.json").text for node in nodes))
        (tmp_path / "new").mkdir()
        (tmp_path / "new" / "countersign_keys.py").write_text(module)
        both = WithKeys(Choice(simple_jwt={**ROTATION, **settings}), made, tmp_path / "new")
        clients.django = stack.enter_context(both)
        clients.go_round()

        assert "no cache is without it" in keys("sign-with", kid, "--share", "10%", fails=True)
        keys("sign-with", kid, "--share", "10%", "--at-once")
        clients.go_round(8)
        keys("sign-with", kid, "--share", "50", "--at-once")
        clients.go_round(4)
        keys("promote", kid)
        [configured] = [key for key in listed(keys) if key["configured"]]
        assert (configured["state"], configured["share"]) == ("accepted", 0)
        nodes[1].post("/api/token/verify/", {"token": first["refresh"]})
        # Refused from the first moment on, at first as nobody can know; then as each node has noted what it saw.
        until(lambda: "(refresh)" in (refused := keys("retire", configured["kid"], fails=True)) and "user" in refused)
        clients.go_round(4)
        until(lambda: nodes[0].run("keys", "retire", configured["kid"], "--unused-for", "1s").returncode == 0)
        until(lambda: all(node.whoami(f"Bearer {first['access']}").status == 401 for node in nodes))
        clients.go_round()

        _, settings = pasted(keys("django"))
        assert settings["ALGORITHM"] == "EdDSA"
        last = WithKeys(Choice(simple_jwt={**ROTATION, **settings}), made, tmp_path / "last")
        clients.django = stack.enter_context(last)
        clients.go_round()
        assert last.whoami(f"Bearer {first['access']}").status == 401
        clients.stop()
        assert not clients.wrong, clients.wrong[:3]
        print(json.dumps({f"{name} {status}": count for (name, status), count in sorted(clients.answers.items())}))


def test_s5_a_stolen_key_ends_in_one_command(new_database, tmp_path):
    """The key is sealed in the database; one command ends it on every node, and what it signed is signed by the key before it."""
    choice = Choice(simple_jwt=ROTATION, sessions=ON)
    made = new_database()
    text = choice.countersign(made) + KEYS

    with ExitStack() as stack:
        stack.callback(made.drop)
        nodes = [Countersign(choice, made, tmp_path / f"node{number}", text) for number in range(2)]

        def keys(*arguments):
            done = nodes[0].run("keys", *arguments)
            assert done.returncode == 0, done.stderr
            return done.stdout

        assert nodes[0].run("migrate").returncode == 0
        for node in nodes:
            stack.enter_context(node)
        keys("generate", "--algorithm", "ES256")
        [kid] = [key["kid"] for key in listed(keys) if not key["configured"]]
        keys("publish", kid)
        keys("promote", kid, "--at-once")
        stranger = Countersign(choice, made, tmp_path / "stranger", text.replace("5e" * 32, "6f" * 32))
        done = stranger.run("keys", "django")
        assert done.returncode != 0 and "is not the one that key" in done.stderr, "whoever has the database alone has no key"

        def log_in():
            pair = nodes[0].post("/api/token/", {"username": "alice", "password": PASSWORD}).json()
            return pair, json.loads(urlsafe_b64decode(pair["access"].partition(".")[0] + "==")).get("kid")

        until(lambda: log_in()[1] == kid)
        stolen, _ = log_in()
        until(lambda: all(node.whoami(f"Bearer {stolen['access']}").status == 200 for node in nodes))
        keys("revoke", kid, "--now")
        until(lambda: all(node.whoami(f"Bearer {stolen['access']}").status == 401 for node in nodes))
        assert all(node.post("/api/token/refresh/", {"refresh": stolen["refresh"]}).status == 401 for node in nodes)
        assert all(kid not in node.send("GET", "/.well-known/jwks.json").text for node in nodes)
        pair, signer = log_in()
        assert signer is None
        assert all(node.whoami(f"Bearer {pair['access']}").status == 200 for node in nodes)


def listed(keys):
    return json.loads(keys("list", "--json"))
