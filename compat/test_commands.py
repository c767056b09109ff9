"""The commands say and do what Django's say and do (SPEC section 11)."""

import getpass
import itertools
import re
import time

import pytest
from conftest import PASSWORD
from harness import database, tokens
from harness.choice import Choice
from harness.hashing import accepted_by_django
from harness.placeholders import Filler
from harness.servers import Countersign, Django
from harness.terminal import converse

GOOD = "an unlikely phrase 9"
MAKE = "createsuperuser"


class Sides:
    """The same command at both, each on its own copy of one database."""

    def __init__(self, new_database):
        self.sides = []
        for kind in (Django, Countersign):
            self.sides.append(kind(Choice(), new_database()))
        self.django, self.countersign = self.sides

    def both(self, *arguments, **options):
        """The two results of a command without a terminal."""
        return [side.run(*arguments, **options) for side in self.sides]

    def talk(self, arguments, script):
        """(exit code, transcript) of the same dialogue with both."""
        return [
            converse(side.argv(*arguments), side.environment(), side.folder, script) for side in self.sides
        ]

    def users(self):
        """The stored users of both, without what is random."""
        return [
            [
                {**row, "password": row["password"].split("$")[:2] if "$" in row["password"] else row["password"][:1],
                 "date_joined": database.shape(row["date_joined"]).split(".")[0]}
                for row in database.rows(side.database, "SELECT * FROM auth_user ORDER BY id")
            ]
            for side in self.sides
        ]  # fmt: skip


@pytest.fixture
def sides(new_database):
    return Sides(new_database)


def said(result):
    return result.returncode, result.stdout, result.stderr


NONINTERACTIVE = [
    (("--username", "admin", "--email", "a@EXAMPLE.com"), {"DJANGO_SUPERUSER_PASSWORD": GOOD}),
    (("--username", "admin", "--email", "a@example.com"), {}),
    (("--username", "admin", "--email", ""), {"DJANGO_SUPERUSER_PASSWORD": "1"}),
    ((), {"DJANGO_SUPERUSER_USERNAME": "env", "DJANGO_SUPERUSER_EMAIL": "e@example.com", "DJANGO_SUPERUSER_PASSWORD": GOOD}),
    (("--username", "ﬁona", "--email", "Fiona@Example.COM"), {"DJANGO_SUPERUSER_PASSWORD": GOOD}),
    (("--email", "a@example.com"), {}),
    (("--username", "admin"), {}),
    (("--username", "alice", "--email", "a@example.com"), {}),
    (("--username", "", "--email", "a@example.com"), {}),
    (("--username", "admin", "--email", "nonsense"), {}),
    (("--username", "a b", "--email", "a@example.com"), {}),
    (("--username", "a" * 151, "--email", "a@example.com"), {}),
    (("--username", "admin", "--email", "a@example.com", "--verbosity", "0"), {}),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "environment"), NONINTERACTIVE, ids=itertools.count())
def test_createsuperuser_noinput(sides, arguments, environment):
    """Same words, same streams, same exit code, same row."""
    django, ours = sides.both(MAKE, "--noinput", *arguments, env=environment)
    assert said(ours) == said(django)
    theirs, mine = sides.users()
    assert mine == theirs
    password = environment.get("DJANGO_SUPERUSER_PASSWORD")
    if password and ours.returncode == 0:
        name = database.value(
            sides.countersign.database, "SELECT username FROM auth_user ORDER BY id DESC LIMIT 1"
        )
        assert accepted_by_django(password, database.password_of(sides.countersign.database, name))


def test_superuser_made_here_is_a_superuser_there(start_pair):
    """A superuser of Countersign's logs in at Django, and the other way round."""
    with start_pair() as pair:
        for maker, reader in pair.directions():
            environment = {"DJANGO_SUPERUSER_PASSWORD": GOOD}
            name = f"made-by-{maker.name}"
            result = maker.run(MAKE, "--noinput", "--username", name, "--email", "x@example.com", env=environment)
            assert result.returncode == 0, result.stderr
            login = reader.post("/api-token-auth/", {"username": name, "password": GOOD})
            assert login.status == 200, login.text
            row = database.one(pair.database, "SELECT * FROM auth_user WHERE username = ?", name)
            assert (row["is_superuser"], row["is_staff"], row["is_active"]) == (1, 1, 1)


USERNAME = f"Username (leave blank to use '{getpass.getuser()}'): "
EMAIL = "Email address: "
ONCE, AGAIN = "Password: ", "Password (again): "
BYPASS = "Bypass password validation and create user anyway? [y/N]: "

DIALOGUES = {
    "plain": ([], [(USERNAME, "admin"), (EMAIL, "a@example.com"), (ONCE, GOOD), (AGAIN, GOOD)]),
    "default-name": ([], [(USERNAME, ""), (EMAIL, ""), (ONCE, GOOD), (AGAIN, GOOD)]),
    "given": (["--username", "admin", "--email", "a@example.com"], [(ONCE, GOOD), (AGAIN, GOOD)]),
    "mismatch": (
        ["--username", "admin", "--email", "a@example.com"],
        [(ONCE, GOOD), (AGAIN, "other"), (ONCE, GOOD), (AGAIN, GOOD)],
    ),
    "blank": (
        ["--username", "admin", "--email", "a@example.com"],
        [(ONCE, ""), (AGAIN, ""), (ONCE, GOOD), (AGAIN, GOOD)],
    ),
    "weak-declined": (
        ["--username", "admin", "--email", "a@example.com"],
        [(ONCE, "admin"), (AGAIN, "admin"), (BYPASS, ""), (ONCE, GOOD), (AGAIN, GOOD)],
    ),
    "weak-accepted": (
        ["--username", "admin", "--email", "a@example.com"],
        [(ONCE, "123"), (AGAIN, "123"), (BYPASS, "y")],
    ),
    "taken-then-bad-email": (
        [],
        [(USERNAME, "alice"), (USERNAME, "a b"), (USERNAME, "admin"), (EMAIL, "x"), (EMAIL, "x@example.com"),
         (ONCE, GOOD), (AGAIN, GOOD)],
    ),
    "cancelled": ([], [(USERNAME, "admin"), (EMAIL, None)]),
    "cancelled-at-password": (["--username", "admin", "--email", "a@b.cd"], [(ONCE, None)]),
}  # fmt: skip


@pytest.mark.parametrize("name", DIALOGUES)
def test_createsuperuser_dialogue(sides, name):
    """Prompt for prompt the same conversation."""
    arguments, script = DIALOGUES[name]
    django, ours = sides.talk([MAKE, *arguments], script)
    assert ours == django
    theirs, mine = sides.users()
    assert mine == theirs


def test_createsuperuser_without_terminal(sides):
    """Not a terminal: skipped with Django's words."""
    django, ours = sides.both(MAKE)
    assert ours.returncode == django.returncode
    assert normal_hint(ours.stdout + ours.stderr) == normal_hint(django.stdout + django.stderr)


def normal_hint(text):
    """The hint names the program to run, and Django the project to run it in."""
    return re.sub(r"`[^`]*createsuperuser[^`]*`( in your project)?", "`… createsuperuser`", text)


NEW, NEW_AGAIN = "Password: ", "Password (again): "
CHANGES = {
    "changed": ("alice", [(NEW, GOOD), (NEW_AGAIN, GOOD)]),
    "mismatch": ("alice", [(NEW, GOOD), (NEW_AGAIN, "x"), (NEW, GOOD), (NEW_AGAIN, GOOD)]),
    "weak": ("alice", [(NEW, "alice"), (NEW_AGAIN, "alice"), (NEW, GOOD), (NEW_AGAIN, GOOD)]),
    "three-times": ("alice", [(NEW, "1"), (NEW_AGAIN, "1")] * 3),
    "empty": ("alice", [(NEW, "")]),
    "similar-to-email": ("alice", [(NEW, "alice@example.com"), (NEW_AGAIN, "alice@example.com"), (NEW, GOOD), (NEW_AGAIN, GOOD)]),
    "unusable-before": ("unusable", [(NEW, GOOD), (NEW_AGAIN, GOOD)]),
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_changepassword(sides, name):
    """Same conversation, and the new password counts."""
    username, script = CHANGES[name]
    django, ours = sides.talk(["changepassword", username], script)
    assert ours == django
    stored = database.password_of(sides.countersign.database, username)
    assert accepted_by_django(GOOD, stored) == (ours[0] == 0)


def test_changepassword_of_nobody(sides):
    """An unknown user is an error in Django's words."""
    django, ours = sides.both("changepassword", "nobody")
    assert said(ours) == said(django)


def test_changed_password_counts_at_the_other(start_pair):
    """A password changed with one program logs in at the other's server at once."""
    with start_pair() as pair:
        for number, (maker, reader) in enumerate(pair.directions()):
            new = f"{GOOD} {number}"
            code, transcript = converse(
                maker.argv("changepassword", "alice"), maker.environment(), maker.folder,
                [(NEW, new), (NEW_AGAIN, new)],
            )  # fmt: skip
            assert code == 0, transcript
            for server in (reader, maker):
                assert server.post("/api/token/", {"username": "alice", "password": new}).status == 200
                assert server.post("/api/token/", {"username": "alice", "password": PASSWORD}).status == 401


def test_drf_create_token(sides):
    """Shows the token, makes it first if need be, replaces it with -r."""
    shown = []
    for arguments in (("alice",), ("alice",), ("alice", "-r"), ("--reset", "carol"), ("nobody",), ("bob",)):
        django, ours = sides.both("drf_create_token", *arguments)
        assert hidden(ours) == hidden(django)
        shown.append(ours.stdout)
    assert shown[0] == shown[1] != shown[2]
    rows = database.rows(sides.countersign.database, "SELECT key FROM authtoken_token")
    assert len(rows) == 3 and any(row["key"] in shown[2] for row in rows)


def hidden(result):
    """The words with every token replaced."""
    code, out, error = said(result)
    return code, re.sub(r"\b[0-9a-f]{40}\b", "<token>", out), error


def test_flushexpiredtokens(sides):
    """Expired outstanding rows go with their blacklist rows, live ones stay; nothing is printed."""
    now = int(time.time())
    left = []
    for side in sides.sides:
        filler = Filler(_PairLike(side))
        for lifetime in (-1, -3600, 3600, 1):
            for blacklisted in (False, True):
                token = tokens.mint("refresh", 1, lifetime=lifetime, n=f"{lifetime}{blacklisted}")
                filler.record(token, blacklisted)
        assert said(side.run("flushexpiredtokens")) == (0, "", "")
        left.append(
            [
                (tokens.claims(row["token"])["n"], row["b"])
                for row in database.rows(
                    side.database,
                    """SELECT o.token, b.id IS NOT NULL AS b FROM token_blacklist_outstandingtoken o
                       LEFT JOIN token_blacklist_blacklistedtoken b ON b.token_id = o.id
                       WHERE o.expires_at NOT BETWEEN ? AND ? ORDER BY o.id""",
                    tokens.instant(now), tokens.instant(now + 120),
                )
            ]
        )  # fmt: skip
    assert left[0] == left[1] == [("3600False", 0), ("3600True", 1)]


class _PairLike:
    """What `Filler` needs to know of one side."""

    def __init__(self, side):
        self.database, self.choice = side.database, side.choice


@pytest.mark.parametrize(
    "arguments",
    [("createsuperuser", "--nonsense"), ("drf_create_token",), ("changepassword", "a", "b")],
    ids=str,
)
def test_usage_errors(sides, arguments):
    """Wrong usage exits with Django's code and says something on standard error only."""
    django, ours = sides.both(*arguments)
    assert ours.returncode == django.returncode
    assert ours.stdout == "" and ours.stderr
