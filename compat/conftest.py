"""Fixtures: a database as Django makes it, and pairs of servers on one database.

Every test that asks for a database, directly or through another fixture, runs on both stores; its id
names the store, and `--store` chooses one.
"""

import itertools

import pytest
from harness import database
from harness.choice import AUTHTOKEN, BLACKLIST, Choice
from harness.hashing import made_by_django
from harness.postgres import PostgresStages
from harness.servers import Countersign, Django
from harness.sqlite import SqliteStages

PASSWORD = "correct horse"
STAGES = {"sqlite": SqliteStages, "postgres": PostgresStages}


def pytest_addoption(parser):
    parser.addoption(
        "--store", choices=[*STAGES, "both"], default="both", help="run what needs a database on this store only"
    )


def pytest_generate_tests(metafunc):
    """Store by store, as PostgreSQL and SQLite take turns at most once."""
    if "store" in metafunc.fixturenames:
        metafunc.parametrize("store", chosen_stores(metafunc.config), indirect=True, scope="session")


def chosen_stores(config):
    """The stores that this run is about."""
    chosen = config.getoption("store")
    return list(STAGES) if chosen == "both" else [chosen]


@pytest.hookimpl(tryfirst=True)  # xdist reads the groups in the same hook
def pytest_collection_modifyitems(items):
    """What shares servers stays on one worker: a file's tests of one store, one setting, one deployment."""
    for item in items:
        chosen = item.callspec.params if hasattr(item, "callspec") else {}
        group = [item.path.stem, *(chosen.get(name, "") for name in ("store", "setting", "deployment"))]
        item.add_marker(pytest.mark.xdist_group("-".join(filter(None, group))))


class Pair:
    """Django and Countersign, both running on one database with the same settings."""

    def __init__(self, choice, shared, **options):
        self.choice, self.database = choice, shared
        self.django = Django(choice, shared, **options)
        self.countersign = Countersign(choice, shared)
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
            self.database.drop()

    def directions(self):
        """(minter, reader) both ways."""
        return ((self.django, self.countersign), (self.countersign, self.django))

    def id_of(self, username):
        """Primary key of a user."""
        return database.user_id(self.database, username)


@pytest.fixture
def account(record_property):
    """Keeps an account of traffic for the end of the run, whether the test passes or not."""
    return lambda title, traffic: record_property("account", f"{title}\n{traffic.table()}")


def pytest_terminal_summary(terminalreporter):
    """Shows the accounts that tests gave of their traffic."""
    for reports in terminalreporter.stats.values():
        for report in reports:
            for name, text in getattr(report, "user_properties", ()):
                if name == "account" and report.when == "call":
                    terminalreporter.section(report.nodeid)
                    terminalreporter.write_line(text)


@pytest.fixture(scope="session")
def store(request):
    """The store under the test: "sqlite" or "postgres"."""
    return request.param


@pytest.fixture(scope="session")
def folders(tmp_path_factory):
    """A new folder at each call."""
    number = itertools.count()
    return lambda: tmp_path_factory.mktemp(f"stage{next(number)}", numbered=False)


@pytest.fixture(scope="session")
def templates(folders):
    """Databases that Django's `migrate` made for some apps, by store; made once, never opened for writing."""
    makers, made = {}, {}

    def make(store, apps):
        maker = makers.setdefault(store, STAGES[store]())
        if (store, apps) not in made:
            template = maker.empty(folders())
            result = Django(Choice(installed_apps=apps), template).run("migrate")
            assert result.returncode == 0, result.stderr
            made[store, apps] = template
        return made[store, apps]

    yield make
    for maker in makers.values():
        maker.close()


@pytest.fixture(scope="session")
def made_by(store, templates):
    """The empty database that Django's `migrate` made for some apps; never opened for writing."""
    return lambda apps=(AUTHTOKEN, BLACKLIST): templates(store, apps)


@pytest.fixture(scope="module")
def stages(store):
    """Makes databases, and drops them when the module has run."""
    maker = STAGES[store]()
    yield maker
    maker.close()


@pytest.fixture(scope="session")
def users():
    """The accounts every populated database has."""
    hashed = made_by_django(PASSWORD)
    return [
        {"username": "alice", "password": hashed, "email": "alice@example.com"},
        {"username": "bob", "password": hashed, "is_active": False},
        {"username": "carol", "password": hashed, "is_staff": True, "is_superuser": True},
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


@pytest.fixture(scope="module")
def new_database(stages, made_by, users, folders):
    """Makes a fresh copy of the Django-made database with the usual accounts in it."""

    def make(apps=(AUTHTOKEN, BLACKLIST), accounts=None):
        made = stages.copy(made_by(apps), folders())
        database.add_users(made, users if accounts is None else accounts)
        return made

    return make


@pytest.fixture(scope="module")
def start_pair(new_database):
    """Makes a pair of servers over a fresh database; use it in a `with`."""

    def make(choice=None, accounts=None, **options):
        choice = choice or Choice()
        return Pair(choice, new_database(choice.installed_apps, accounts), **options)

    return make
