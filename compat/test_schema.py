"""A database made by either side is whole in the eyes of the other."""

import pytest
from harness import database
from harness.choice import AUTHTOKEN, BLACKLIST, Choice
from harness.servers import Countersign, Django

SUBSETS = [(AUTHTOKEN, BLACKLIST), (AUTHTOKEN,), (BLACKLIST,), ()]
NAMES = ["both", "authtoken-only", "blacklist-only", "neither"]


@pytest.fixture(params=SUBSETS, ids=NAMES)
def choice(request):
    authentication = ("token", "jwt") if AUTHTOKEN in request.param else ("jwt",)
    return Choice(installed_apps=request.param, authentication=authentication)


@pytest.fixture
def migrated_by_countersign(stages, tmp_path):
    """Makes a database by Countersign's `migrate` alone."""

    def make(choice):
        made = stages.empty(tmp_path / "ours")
        result = Countersign(choice, made).run("migrate")
        assert result.returncode == 0, result.stderr
        return made

    return make


def test_django_finds_nothing_to_do_after_countersign_migrate(choice, migrated_by_countersign):
    """`migrate --check`, `makemigrations --check` and `migrate` are all satisfied."""
    django = Django(choice, migrated_by_countersign(choice))
    check = django.run("migrate", "--check")
    assert check.returncode == 0, check.stdout + check.stderr
    make = django.run("makemigrations", "--check", "--dry-run")
    assert make.returncode == 0, make.stdout + make.stderr
    migrate = django.run("migrate")
    assert migrate.returncode == 0, migrate.stderr
    assert "No migrations to apply." in migrate.stdout


def test_tables_are_those_of_django(choice, made_by, migrated_by_countersign):
    """The catalogue is the same: on SQLite each statement to the letter, on PostgreSQL each column with type,
    order, nullability and identity, each constraint, index and sequence with name and definition."""
    assert migrated_by_countersign(choice).catalogue() == made_by(choice.installed_apps).catalogue()


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT app, name FROM django_migrations ORDER BY app, name",
        "SELECT app_label, model FROM django_content_type ORDER BY 1, 2",
        """SELECT c.app_label, c.model, p.codename, p.name FROM auth_permission p
           JOIN django_content_type c ON c.id = p.content_type_id ORDER BY 1, 2, 3""",
    ],
    ids=["migrations", "content-types", "permissions"],
)
def test_rows_are_those_of_django(choice, made_by, migrated_by_countersign, statement):
    """The rows `migrate` records and inserts are the same."""
    ours = migrated_by_countersign(choice)
    assert database.rows(ours, statement) == database.rows(made_by(choice.installed_apps), statement)


def test_instants_have_the_form_of_django(choice, migrated_by_countersign):
    """`applied` is an instant as Django writes it, with a fraction or without."""
    ours = migrated_by_countersign(choice)
    assert ours.types("django_migrations", "id = 1")["applied"] == ours.instant_type
    for row in database.rows(ours, "SELECT applied FROM django_migrations"):
        assert database.shape(row["applied"]) in ("0000-00-00 00:00:00.000000", "0000-00-00 00:00:00")


def test_countersign_has_nothing_to_do_on_a_database_of_django(choice, made_by, stages, tmp_path):
    """`countersign migrate` leaves every table and row of a Django-made database alone, and `serve` works."""
    theirs = stages.copy(made_by(choice.installed_apps), tmp_path)
    before = database.contents(theirs)
    ours = Countersign(choice, theirs)
    result = ours.run("migrate")
    assert result.returncode == 0, result.stderr
    assert database.contents(theirs) == before
    with ours:
        assert ours.send("GET", "/api/whoami/").status == 401
    assert database.contents(theirs) == before


def test_migrate_twice_changes_nothing(choice, migrated_by_countersign):
    """The second `countersign migrate` is a no-op."""
    ours = migrated_by_countersign(choice)
    before = database.contents(ours)
    assert Countersign(choice, ours).run("migrate").returncode == 0
    assert database.contents(ours) == before


@pytest.mark.parametrize("apps", SUBSETS[1:], ids=NAMES[1:])
def test_missing_apps_are_added_to_a_database_of_django(apps, made_by, stages, tmp_path):
    """`countersign migrate` creates just the tables of the apps that a Django-made database lacks."""
    theirs = stages.copy(made_by(apps), tmp_path)
    whole = Choice()
    assert Countersign(whole, theirs).run("migrate").returncode == 0
    django = Django(whole, theirs)
    assert django.run("migrate", "--check").returncode == 0
    assert "No migrations to apply." in django.run("migrate").stdout
    assert theirs.catalogue() == made_by(whole.installed_apps).catalogue()


def test_a_database_without_other_django_apps_is_completed_by_django(migrated_by_countersign):
    """A database begun by Countersign grows when the Django project gets another app."""
    ours = migrated_by_countersign(Choice(installed_apps=()))
    result = Django(Choice(), ours).run("migrate")
    assert result.returncode == 0, result.stderr
    assert "Applying authtoken.0001_initial... OK" in result.stdout
    assert "Applying token_blacklist.0001_initial... OK" in result.stdout
