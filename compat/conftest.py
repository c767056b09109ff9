"""Fixtures: a database as Django makes it, and pairs of servers on one file."""

import itertools

import pytest
from harness import database
from harness.choice import AUTHTOKEN, BLACKLIST, Choice
from harness.hashing import made_by_django
from harness.servers import Countersign, Django, copy_database

PASSWORD = "correct horse"


class Pair:
    """Django and Countersign, both running on one SQLite file with the same settings."""

    def __init__(self, choice, path, folder, **options):
        self.choice, self.path = choice, path
        self.django = Django(choice, path, folder, **options)
        self.countersign = Countersign(choice, path, folder)
        self.servers = (self.django, self.countersign)

    def __enter__(self):
        self.django.start()
        try:
            self.countersign.start()
        except BaseException:
            self.django.stop()
            raise
        return self

    def __exit__(self, *_):
        try:
            self.countersign.stop()
        finally:
            self.django.stop()

    def directions(self):
        """(minter, reader) both ways."""
        return ((self.django, self.countersign), (self.countersign, self.django))

    def id_of(self, username):
        """Primary key of a user."""
        return database.user_id(self.path, username)


@pytest.fixture(scope="session")
def made_by(tmp_path_factory):
    """Path of an empty database that Django's `migrate` made for some apps; never opened for writing."""
    made = {}

    def make(apps=(AUTHTOKEN, BLACKLIST)):
        if apps not in made:
            folder = tmp_path_factory.mktemp("made-by-django")
            path = folder / "db.sqlite3"
            result = Django(Choice(installed_apps=apps), path, folder).run("migrate")
            assert result.returncode == 0, result.stderr
            made[apps] = path
        return made[apps]

    return make


@pytest.fixture(scope="session")
def users():
    """The accounts every populated database has."""
    hashed = made_by_django(PASSWORD)
    return [
        {"username": "alice", "password": hashed, "email": "alice@example.com"},
        {"username": "bob", "password": hashed, "is_active": 0},
        {"username": "carol", "password": hashed, "is_staff": 1, "is_superuser": 1},
        {"username": "café", "password": made_by_django("größer")},
        {"username": "12345", "password": made_by_django("67890")},
        {"username": "spaced", "password": made_by_django(" spaced ")},
        {"username": "colon", "password": made_by_django("a:b:c")},
        {"username": "unusable", "password": "!" + "x" * 40},
        {"username": "broken", "password": "pbkdf2_sha256$abc$salt"},
        {"username": "unknown-algorithm", "password": "sha512$1$salt$hash"},
        {"username": "no-hash", "password": ""},
        {"username": "md5-user", "password": made_by_django(PASSWORD, "md5")},
        {"username": "1e+16", "password": made_by_django("1.5")},
    ]


@pytest.fixture(scope="session")
def new_database(made_by, users, tmp_path_factory):
    """Makes a fresh copy of the Django-made database with the usual accounts in it."""
    number = itertools.count()

    def make(apps=(AUTHTOKEN, BLACKLIST), accounts=None):
        folder = tmp_path_factory.mktemp(f"stage{next(number)}")
        path = copy_database(made_by(apps), folder / "db.sqlite3")
        database.add_users(path, users if accounts is None else accounts)
        return path

    return make


@pytest.fixture(scope="session")
def start_pair(new_database):
    """Makes a pair of servers over a fresh database; use it in a `with`."""

    def make(choice=None, accounts=None, **options):
        choice = choice or Choice()
        path = new_database(choice.installed_apps, accounts)
        return Pair(choice, path, path.parent, **options)

    return make
