"""`countersign adopt` on real projects: what it writes serves their users and tokens with no hand edits.

Each project is migrated, filled and used under gunicorn first; then `adopt` reads it, and both servers
run side by side on its database and its paths.
"""

import hashlib
import re
import stat
import tomllib

import pytest
from conftest import STAGES, chosen_stores
from harness import database, tokens
from harness.projects import PROJECTS, Adopted, ProjectSite

BY_NAME = {project.name: project for project in PROJECTS}
PASSWORDS = ("correct horse", "größer 🔑", "a:b:c")
WHOAMI = "/api/whoami/"


def pytest_generate_tests(metafunc):
    """Each project on each store that it runs on."""
    if "deployment" in metafunc.fixturenames:
        stores = chosen_stores(metafunc.config)
        metafunc.parametrize(
            "deployment",
            [f"{project.name}-{store}" for project in PROJECTS for store in project.stores if store in stores],
            indirect=True, scope="module",
        )  # fmt: skip


class Deployment:
    """A project in use, what its clients hold, and the Countersign that adopted it."""

    def __init__(self, project, shared, folder):
        self.project, self.database = project, shared
        self.django = ProjectSite(project, shared)
        self.countersign = Adopted(None, shared, folder)
        self.servers = (self.django, self.countersign)

    def prepare(self):
        """Users with hashes of the three hashers that come first, and credentials of the first user's."""
        self.django.migrate()
        hashers = self.django.shell(
            "from django.contrib.auth.hashers import get_hashers\nfor h in get_hashers(): print(h.algorithm)\n"
        ).split()
        for name, password, hasher in zip(self.project.names, PASSWORDS, [*hashers, hashers[-1]], strict=False):
            self.django.add_user(name, password, hasher)

    def collect(self):
        """What a client got from Django before Countersign came."""
        self.key = ok(self.log_in(self.django, self.project.key))["token"]
        self.pair = ok(self.log_in(self.django, self.project.obtain))
        self.gone = ok(self.log_in(self.django, self.project.obtain))["refresh"]
        ok(self.django.post(self.project.blacklist, {"refresh": self.gone}))
        if self.project.knox:
            self.device = ok(self.add_device(self.django))["token"]

    def add_device(self, server):
        """The answer of Knox's login, which lets in by any of the project's classes."""
        return server.send("POST", self.project.knox[0], [("Authorization", f"Token {self.key}")])

    def log_in(self, server, path, user=0, password=None):
        """The answer of a login view."""
        return self.enter(server, path, self.project.names[user], password or PASSWORDS[user])

    def enter(self, server, path, name, password):
        """The answer of a login view to a name."""
        return server.post(path, self.project.credentials(path, name, password))

    def who(self, server, authorization):
        """The answer of the server's own protected view, and the name in it."""
        path, member = (WHOAMI, "username") if server is self.countersign else (self.project.protected, "customer")
        answer = server.whoami(authorization, path)
        return answer.status, answer.json().get(member)

    def directions(self):
        """(minter, reader) both ways."""
        return ((self.django, self.countersign), (self.countersign, self.django))

    def bearer(self, access):
        """The header with an access token."""
        return f"{self.project.scheme} {access}"


@pytest.fixture(scope="module")
def deployment(request, folders):
    name, store = request.param.rsplit("-", 1)
    project, stages = BY_NAME[name], STAGES[store]()
    options = {"search_path": project.search_path} if project.search_path else {}
    made = stages.empty(folders(), **options)
    if project.schema:
        database.execute(made, f"CREATE SCHEMA {project.schema}")
    deployment = Deployment(project, made, folders())
    try:
        deployment.prepare()
        with deployment.django:
            deployment.collect()
            before = database.contents(made), files(project.directory)
            deployment.report = deployment.countersign.adopt(deployment.django)
            deployment.changes = before != (database.contents(made), files(project.directory))
            assert deployment.report.returncode == 0, deployment.report.stdout + deployment.report.stderr
            with deployment.countersign:
                yield deployment
    finally:
        stages.close()


def files(folder):
    """Every file below a folder with its content."""
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*") if path.is_file()
    }


def ok(answer):
    """The body of a 200."""
    assert answer.status == 200, (answer.status, answer.text)
    return answer.json()


def test_adopt_changes_nothing(deployment):
    """Neither in the database, down to its counters, nor in the project's files."""
    assert not deployment.changes


def test_what_adopt_writes(deployment):
    """Secrets stand in files for their owner alone, and nowhere in the report."""
    folder = deployment.countersign.folder
    toml = folder / "countersign.toml"
    tomllib.loads(toml.read_text())
    secrets = {
        value.strip().strip("'\"")
        for value in deployment.django.shell(
            "from django.conf import settings\n"
            "print(repr(settings.SECRET_KEY))\nprint(repr(settings.SIMPLE_JWT.get('SIGNING_KEY', settings.SECRET_KEY)))\n"
        ).splitlines()
    }
    for secret in secrets:
        assert secret not in deployment.report.stdout + deployment.report.stderr
        holders = [path for path in folder.iterdir() if path.is_file() and secret in path.read_text()]
        assert holders, f"no file holds {secret[:8]}…"
        for path in holders:
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path.name


def test_configuration_is_good(deployment):
    """`check` has nothing to say against it."""
    result = deployment.countersign.run("check")
    assert result.returncode == 0, result.stdout + result.stderr


def test_snippet_routes_the_paths(deployment):
    """The nginx snippet names every authentication path of the project, and none of its other paths."""
    snippet = (deployment.countersign.folder / "nginx.conf").read_text()
    project = deployment.project
    for path in (project.key, project.obtain, project.refresh, project.verify, project.blacklist, *project.knox):
        assert re.search(rf"location\s*=\s*\"?{re.escape(path)}\"?\s", snippet), path
    assert project.protected not in snippet


def test_old_drf_token_is_honoured(deployment):
    """The key that Django gave out opens Countersign's view, and the login view gives it out again."""
    assert deployment.who(deployment.countersign, f"Token {deployment.key}") == (200, deployment.project.names[0])
    assert ok(deployment.log_in(deployment.countersign, deployment.project.key))["token"] == deployment.key


def test_old_access_token_is_honoured(deployment):
    """The access token that Django gave out opens Countersign's view and passes its verification."""
    access = deployment.pair["access"]
    assert deployment.who(deployment.countersign, deployment.bearer(access)) == (200, deployment.project.names[0])
    assert ok(deployment.countersign.post(deployment.project.verify, {"token": access})) == {}


def test_old_refresh_token_is_honoured(deployment):
    """The refresh token that Django gave out is refreshed on Django's path; its successors are good at both."""
    project = deployment.project
    refreshed = ok(deployment.countersign.post(project.refresh, {"refresh": deployment.pair["refresh"]}))
    assert list(refreshed) == (["access", "refresh"] if project.rotates else ["access"])
    for server in deployment.servers:
        assert deployment.who(server, deployment.bearer(refreshed["access"])) == (200, project.names[0])
        again = server.post(project.refresh, {"refresh": deployment.pair["refresh"]})
        assert again.status == (401 if project.blacklists_when_rotating else 200)
    if project.rotates:
        ok(deployment.django.post(project.refresh, {"refresh": refreshed["refresh"]}))


def test_blacklisted_token_is_refused(deployment):
    """What was revoked at Django stays revoked, in Django's words."""
    for path in (deployment.project.refresh, deployment.project.blacklist):
        answers = [server.post(path, {"refresh": deployment.gone}) for server in deployment.servers]
        assert [answer.status for answer in answers] == [401, 401]
        assert answers[0].json() == answers[1].json()


@pytest.mark.parametrize("user", range(3))
def test_old_passwords_log_in(deployment, user):
    """Users of every configured hasher log in, at both views and both servers; wrong passwords do not."""
    project = deployment.project
    for path in (project.obtain, project.key):
        for server in (deployment.countersign, deployment.django):
            ok(deployment.log_in(server, path, user))
            refused = deployment.log_in(server, path, user, "wrong")
            assert refused.status == (400 if path == project.key else 401)


def test_knox_tokens_are_carried_over(deployment):
    """Old ones are good here; new ones of either server are good at both, shown alike, and end at both."""
    project = deployment.project
    if not project.knox:
        assert 'knox_login = "' not in deployment.countersign.config().read_text()
        return
    _, end, end_all = project.knox
    for server in deployment.servers:
        assert deployment.who(server, f"Knox {deployment.device}") == (200, project.names[0])
    shapes = []
    for minter, reader in deployment.directions():
        made = ok(deployment.add_device(minter))
        token = made["token"]
        shapes.append((list(made), token[:3], len(token), made["user"]))
        assert deployment.who(reader, f"Knox {token}") == (200, project.names[0])
        answer = reader.send("POST", end, [("Authorization", f"Knox {token}")])
        assert (answer.status, answer.text) == (204, "")
        assert {deployment.who(server, f"Knox {token}")[0] for server in deployment.servers} == {401}
    assert shapes[0] == shapes[1] and shapes[0][1:3] == ("bk_", 67)
    while deployment.add_device(deployment.django).status == 200:
        pass
    answers = [deployment.add_device(server) for server in deployment.servers]
    assert {(answer.status, answer.text) for answer in answers} == {(403, answers[0].text)}
    answer = deployment.countersign.send("POST", end_all, [("Authorization", f"Knox {deployment.device}")])
    assert answer.status == 204
    assert deployment.who(deployment.django, f"Knox {deployment.device}")[0] == 401


def test_upgraded_hashes_are_those_of_django(deployment):
    """A login at Countersign leaves a hash that Django would have made, and does not want to make again."""
    password = PASSWORDS[1]
    deployment.django.add_user("upgraded", password, "pbkdf2_sha256")
    read = (
        "from django.contrib.auth.hashers import check_password, identify_hasher, get_hasher\n"
        "user = User.objects.get(**{User.USERNAME_FIELD: 'upgraded'})\n"
        "preferred = get_hasher('default')\n"
        f"print(check_password({password!r}, user.password), identify_hasher(user.password).algorithm == "
        "preferred.algorithm, preferred.must_update(user.password))\n"
    )
    ok(deployment.enter(deployment.countersign, deployment.project.key, "upgraded", password))
    assert deployment.django.shell(read).split() == ["True", "True", "False"]


def test_login_fields_are_named_alike(deployment):
    """SimpleJWT's view asks for the user model's USERNAME_FIELD, DRF's for `username` whatever the model says."""
    for path in (deployment.project.obtain, deployment.project.key):
        for body in ({}, {"password": "x"}, {deployment.project.login_field: "x"}, {"username": "x"}):
            theirs, ours = (server.post(path, body) for server in deployment.servers)
            assert (ours.status, ours.json()) == (theirs.status, theirs.json())


def test_tokens_have_the_same_text(deployment):
    """Algorithm, claims, their order and lifetimes are those of the project's settings."""
    for _ in range(5):  # a second may end between two instants of one login
        shapes = [
            {name: tokens.shape(token) for name, token in ok(deployment.log_in(server, deployment.project.obtain)).items()}
            for server in deployment.servers
        ]
        if shapes[0] == shapes[1]:
            return
    assert shapes[0] == shapes[1]


def test_new_tokens_are_accepted_by_django(deployment):
    """What Countersign gives out opens Django's own view, is refreshed and revoked there."""
    project = deployment.project
    pair = ok(deployment.log_in(deployment.countersign, project.obtain, 2))
    key = ok(deployment.log_in(deployment.countersign, project.key, 2))["token"]
    for authorization in (deployment.bearer(pair["access"]), f"Token {key}"):
        assert deployment.who(deployment.django, authorization) == (200, project.names[2])
    ok(deployment.django.post(project.refresh, {"refresh": pair["refresh"]}))
    last = ok(deployment.log_in(deployment.countersign, project.obtain, 2))["refresh"]
    ok(deployment.django.post(project.blacklist, {"refresh": last}))
    assert deployment.countersign.post(project.refresh, {"refresh": last}).status == 401


def test_refusals_are_alike(deployment):
    """Without credentials and with bad ones, status, challenge and words are those of the project's views."""
    for authorization in ("", "Token " + "0" * 40, deployment.bearer("a.b.c"), "Basic eDp5"):
        theirs = deployment.django.whoami(authorization, deployment.project.protected)
        ours = deployment.countersign.whoami(authorization)
        assert (ours.status, ours.header("www-authenticate"), ours.json()) == (
            theirs.status, theirs.header("www-authenticate"), theirs.json(),
        )  # fmt: skip


def test_odd_user_ids(deployment):
    """Whatever stands in the user claim of a token that is signed right: Django's answer, or a refusal where it
    crashes or converts loosely, and never an error."""
    key, algorithm, claim, own = deployment.django.shell(
        "from rest_framework_simplejwt.settings import api_settings as a\n"
        "print(a.SIGNING_KEY)\nprint(a.ALGORITHM)\nprint(a.USER_ID_CLAIM)\n"
        "print(User.objects.get(**{User.USERNAME_FIELD: name}).pk)\n",
        name=deployment.project.names[0],
    ).splitlines()  # fmt: skip
    payload = tokens.claims(ok(deployment.log_in(deployment.countersign, deployment.project.obtain))["access"])
    assert payload[claim] == own
    odd = [
        own.upper(), own.replace("-", ""), f" {own}", f"{own}\n", f"{{{own}}}", f"urn:uuid:{own}", f"{own}0", f"-{own}",
        "", "0", "-1", "x", "1.0", "1e0", "a\0b", "00000000-0000-0000-0000-000000000000", str(2**31), str(2**63),
        "9" * 40, 0, -1, 2**31, 2**63, 10**40, 1.5, True, None, [own], {"id": own},
    ]  # fmt: skip
    for value in [own, *odd]:
        bearer = deployment.bearer(tokens.sign({**payload, claim: value}, key, algorithm))
        theirs = deployment.django.whoami(bearer, deployment.project.protected)
        ours = deployment.countersign.whoami(bearer)
        if theirs.status == 200:
            assert ours.status == (200 if value == own else ours.status) and ours.status in (200, 401), repr(value)
        else:
            assert ours.status == 401, repr(value)


def test_changes_at_django_count_at_once(deployment):
    """A password changed at Django is the only one, and a deleted user is nobody, at Countersign too."""
    project = deployment.project
    deployment.django.add_user("leaver", "old password")
    access = ok(deployment.enter(deployment.countersign, project.obtain, "leaver", "old password"))["access"]
    find = "user = User.objects.get(**{User.USERNAME_FIELD: 'leaver'})\n"
    deployment.django.shell(find + "user.set_password('new password')\nuser.save()\n")
    assert deployment.enter(deployment.countersign, project.obtain, "leaver", "old password").status == 401
    ok(deployment.enter(deployment.countersign, project.obtain, "leaver", "new password"))
    same_welcome(deployment, deployment.bearer(access))
    deployment.django.shell(find + "user.delete()\n")
    assert deployment.enter(deployment.countersign, project.obtain, "leaver", "new password").status == 401
    assert same_welcome(deployment, deployment.bearer(access)) == 401


def test_disabled_users_are_refused(deployment):
    """Where the model has the column, a user that Django disables is refused in Django's words; else all are active."""
    project = deployment.project
    deployment.django.add_user("sleeper", "a password")
    access = ok(deployment.enter(deployment.countersign, project.obtain, "sleeper", "a password"))["access"]
    key = ok(deployment.enter(deployment.countersign, project.key, "sleeper", "a password"))["token"]
    deployment.django.shell(
        "user = User.objects.get(**{User.USERNAME_FIELD: 'sleeper'})\nuser.is_active = False\nuser.save()\n"
    )
    for authorization in (f"Token {key}", deployment.bearer(access)):
        assert same_welcome(deployment, authorization) == (401 if project.disables else 200)
    for path in (project.obtain, project.key):
        theirs, ours = (deployment.enter(server, path, "sleeper", "a password") for server in deployment.servers)
        assert ours.status == theirs.status
        assert ours.status == 200 or ours.json() == theirs.json()


def same_welcome(deployment, authorization):
    """The status of both servers' own views, which agree, also in the words of a refusal."""
    theirs = deployment.django.whoami(authorization, deployment.project.protected)
    ours = deployment.countersign.whoami(authorization)
    assert ours.status == theirs.status
    assert ours.status == 200 or ours.json() == theirs.json()
    return ours.status
