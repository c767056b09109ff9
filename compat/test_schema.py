"""A database made by either side is whole in the eyes of the other."""

import pytest
from harness import database
from harness.choice import AUTHTOKEN, BLACKLIST, Choice
from harness.servers import Countersign, Django, copy_database

SUBSETS = [(AUTHTOKEN, BLACKLIST), (AUTHTOKEN,), (BLACKLIST,), ()]
NAMES = ["both", "authtoken-only", "blacklist-only", "neither"]


@pytest.fixture(params=SUBSETS, ids=NAMES)
def choice(request):
    authentication = ("token", "jwt") if AUTHTOKEN in request.param else ("jwt",)
    return Choice(installed_apps=request.param, authentication=authentication)


def migrated_by_countersign(choice, folder):
    path = folder / "ours.sqlite3"
    result = Countersign(choice, path, folder).run("migrate")
    assert result.returncode == 0, result.stderr
    return path


def test_django_finds_nothing_to_do_after_countersign_migrate(choice, tmp_path):
    """`migrate --check`, `makemigrations --check` and `migrate` are all satisfied."""
    path = migrated_by_countersign(choice, tmp_path)
    django = Django(choice, path, tmp_path)
    check = django.run("migrate", "--check")
    assert check.returncode == 0, check.stdout + check.stderr
    make = django.run("makemigrations", "--check", "--dry-run")
    assert make.returncode == 0, make.stdout + make.stderr
    migrate = django.run("migrate")
    assert migrate.returncode == 0, migrate.stderr
    assert "No migrations to apply." in migrate.stdout


def test_tables_are_those_of_django(choice, made_by, tmp_path):
    """sqlite_master holds the same statements, text for text. Their order does not matter to anyone."""
    ours = migrated_by_countersign(choice, tmp_path)
    foreign = [row for row in database.schema(ours) if row[1].startswith("countersign_")]
    mine = [row for row in database.schema(ours) if row not in foreign]
    assert sorted(map(str, mine)) == sorted(map(str, database.schema(made_by(choice.installed_apps))))


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT app, name FROM django_migrations ORDER BY app, name",
        "SELECT app_label, model FROM django_content_type ORDER BY 1, 2",
        """SELECT c.app_label, c.model, p.codename, p.name FROM auth_permission p
           JOIN django_content_type c ON c.id = p.content_type_id ORDER BY 1, 2, 3""",
        "SELECT DISTINCT typeof(applied), length(applied) IN (19, 26) FROM django_migrations",
    ],
    ids=["migrations", "content-types", "permissions", "applied-form"],
)
def test_rows_are_those_of_django(choice, made_by, tmp_path, statement):
    """The rows `migrate` records and inserts are the same."""
    ours = migrated_by_countersign(choice, tmp_path)
    assert database.rows(ours, statement) == database.rows(made_by(choice.installed_apps), statement)


def test_countersign_has_nothing_to_do_on_a_database_of_django(choice, made_by, tmp_path):
    """`countersign migrate` leaves every table and row of a Django-made file alone, and `serve` works."""
    path = copy_database(made_by(choice.installed_apps), tmp_path / "db.sqlite3")
    before = contents(path)
    ours = Countersign(choice, path, tmp_path)
    result = ours.run("migrate")
    assert result.returncode == 0, result.stderr
    assert contents(path) == before
    with ours:
        assert ours.send("GET", "/api/whoami/").status == 401
    assert contents(path) == before


def test_migrate_twice_changes_nothing(choice, tmp_path):
    """The second `countersign migrate` is a no-op."""
    path = migrated_by_countersign(choice, tmp_path)
    before = contents(path)
    assert Countersign(choice, path, tmp_path).run("migrate").returncode == 0
    assert contents(path) == before


@pytest.mark.parametrize("apps", SUBSETS[1:], ids=NAMES[1:])
def test_missing_apps_are_added_to_a_database_of_django(apps, made_by, tmp_path):
    """`countersign migrate` creates just the tables of the apps that a Django-made file lacks."""
    path = copy_database(made_by(apps), tmp_path / "db.sqlite3")
    whole = Choice()
    assert Countersign(whole, path, tmp_path).run("migrate").returncode == 0
    django = Django(whole, path, tmp_path)
    assert django.run("migrate", "--check").returncode == 0
    assert "No migrations to apply." in django.run("migrate").stdout


def test_a_file_without_other_django_apps_is_completed_by_django(tmp_path):
    """A database begun by Countersign grows when the Django project gets another app."""
    path = migrated_by_countersign(Choice(installed_apps=()), tmp_path)
    result = Django(Choice(), path, tmp_path).run("migrate")
    assert result.returncode == 0, result.stderr
    assert "Applying authtoken.0001_initial... OK" in result.stdout
    assert "Applying token_blacklist.0001_initial... OK" in result.stdout


def contents(path):
    """Schema and all rows of all tables, without Countersign's own."""
    tables = database.rows(path, "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
    return {
        row["name"]: database.rows(path, f'SELECT * FROM "{row["name"]}" ORDER BY 1')
        for row in tables
        if not row["name"].startswith("countersign_")
    } | {"schema": [row for row in database.schema(path) if not row[1].startswith("countersign_")]}
