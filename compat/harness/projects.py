"""The real Django projects under `projects/`, each with settings, users and paths of its own."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass

from .servers import COMPAT, Countersign, Gunicorn, countersign_program


@dataclass(frozen=True)
class Project:
    """One of the projects: what a client of it has to know."""

    name: str
    site: str
    login_field: str  # what SimpleJWT's views call the user's name; DRF's always says `username`
    names: tuple  # of three users
    key: str  # path of DRF's obtain_auth_token
    obtain: str  # and of SimpleJWT's views
    refresh: str
    verify: str
    blacklist: str
    protected: str  # a view of the project's own, which answers {"customer": <name>, …}
    scheme: str = "Bearer"
    rotates: bool = False
    blacklists_when_rotating: bool = False
    disables: bool = True  # the user model has a column is_active
    schema: str | None = None  # where the users are, if not in public
    search_path: str | None = None
    knox: tuple = ()  # paths of Knox's login, logout and logoutall
    stores: tuple = ("postgres",)

    def credentials(self, path, name, password):
        """The body for a login view."""
        return {"username" if path == self.key else self.login_field: name, "password": password}

    @property
    def directory(self):
        """Where its manage.py is."""
        return COMPAT / "projects" / self.name


PROJECTS = (
    Project(
        "stock", "bookshop", "username", ("alice", "bob", "Zoë"),
        "/auth/login/", "/auth/jwt/create/", "/auth/jwt/refresh/", "/auth/jwt/verify/", "/auth/jwt/logout/",
        "/shop/basket/", rotates=True, blacklists_when_rotating=True, stores=("sqlite", "postgres"),
        knox=("/auth/device/", "/auth/device/end/", "/auth/device/end-all/"),
    ),
    Project(
        "email_user", "club", "email", ("alice@example.com", "Bob@example.com", "zoë@example.com"),
        "/api/v1/key/", "/api/v1/session/", "/api/v1/session/renew/", "/api/v1/session/check/",
        "/api/v1/session/end/", "/api/v1/membership/",
    ),
    Project(
        "uuid_user", "clinic", "phone", ("+49 30 1234", "+49 30 5678", "+1 (212) 0"),
        "/clinic/token/", "/clinic/jwt/", "/clinic/jwt/refresh/", "/clinic/jwt/verify/", "/clinic/jwt/revoke/",
        "/clinic/appointments/", disables=False, schema="accounts", search_path="accounts,public",
    ),
    Project(
        "mixed_case", "legacy", "login", ("Alice", "BOB", 'O"Neil'),
        "/api/key", "/api/jwt/create", "/api/jwt/refresh", "/api/jwt/verify", "/api/jwt/blacklist",
        "/api/orders", scheme="JWT", rotates=True,
    ),
    Project(
        "other_schema", "guild", "username", ("alice", "bob", "Zoë"),
        "/guild/door/key/", "/guild/door/", "/guild/door/again/", "/guild/door/look/", "/guild/door/leave/",
        "/guild/works/", rotates=True, blacklists_when_rotating=True, schema="people",
    ),
)  # fmt: skip


class ProjectSite(Gunicorn):
    """A project on a database, under gunicorn and at its command line."""

    name = "django"

    def __init__(self, project, database, folder=None, workers=1, threads=4):
        super().__init__(None, database, folder)
        self.project, self.directory = project, project.directory
        self.application = f"{project.site}.wsgi:application"
        self.workers, self.threads = workers, threads

    def environment(self):
        """The caller's, with what the project reads."""
        return {
            **os.environ,
            "DATABASE": json.dumps(self.database.django()),
            "DJANGO_SETTINGS_MODULE": f"{self.project.site}.settings",
            "PYTHONDONTWRITEBYTECODE": "1",
            "DJANGO_COLORS": "nocolor",
        }

    def migrate(self):
        """Makes the tables."""
        result = self.run("migrate")
        assert result.returncode == 0, result.stderr

    def add_user(self, name, password, hasher="default"):
        """Makes a user at Django."""
        self.shell(
            "from django.contrib.auth.hashers import make_password\n"
            "user = User(**{User.USERNAME_FIELD: name})\n"
            "user.password = make_password(password, hasher=hasher)\n"
            "user.save()\n",
            name=name, password=password, hasher=hasher,
        )  # fmt: skip


class Adopted(Countersign):
    """Countersign with the configuration that `adopt` wrote, untouched; only the port is of the test's choosing."""

    flags = ("--bind", "127.0.0.1:0")

    def config(self):
        """The file that `adopt` wrote."""
        return self.folder / "countersign.toml"

    def adopt(self, site):
        """Runs `adopt` on a project, as its administrator would."""
        return subprocess.run(
            [
                countersign_program(), "adopt", "--manage", str(site.directory / "manage.py"),
                "--python", sys.executable, "--output", str(self.folder),
            ],
            env={**self.environment(), "DATABASE": json.dumps(site.database.django()), "PYTHONDONTWRITEBYTECODE": "1"},
            cwd=site.folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120,
        )  # fmt: skip
