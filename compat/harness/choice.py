"""One set of settings, written in Django's form and in Countersign's.

A test makes a `Choice`; both servers are configured from it, so that they can only differ in
behaviour, never in configuration.
"""

import json
from dataclasses import dataclass, field, replace
from datetime import timedelta

AUTHTOKEN = "rest_framework.authtoken"
BLACKLIST = "rest_framework_simplejwt.token_blacklist"
KNOX = "knox"
SESSIONS = "django.contrib.sessions"  # which the Django project always has

SECRET_KEY = "compat-suite-secret-key-0123456789-abcdefghijklmnopqrstuvwxyz"

DEFAULT_HASHERS = ("pbkdf2_sha256", "pbkdf2_sha1", "argon2", "bcrypt_sha256", "scrypt")
ALL_HASHERS = (*DEFAULT_HASHERS, "bcrypt", "md5")

CHEAP_WORK = {
    "pbkdf2_sha256": {"iterations": 1000},
    "pbkdf2_sha1": {"iterations": 1000},
    "argon2": {"time_cost": 1, "memory_cost": 512, "parallelism": 2},
    "bcrypt_sha256": {"rounds": 4},
    "bcrypt": {"rounds": 4},
    "scrypt": {"work_factor": 256, "block_size": 8, "parallelism": 1},
}


@dataclass(frozen=True)
class Choice:
    """Settings under Django's names; durations are `timedelta`."""

    simple_jwt: dict = field(default_factory=dict)
    authentication: tuple = ("token", "jwt", "basic")
    password_hashers: tuple = DEFAULT_HASHERS
    work: dict = field(default_factory=lambda: CHEAP_WORK)
    installed_apps: tuple = (AUTHTOKEN, BLACKLIST)
    protected: tuple = ()
    sessions: dict = field(default_factory=lambda: {"enabled": False})  # Countersign's alone
    secret_key: str = SECRET_KEY
    knox: dict = field(default_factory=dict)  # REST_KNOX
    rest_framework: dict = field(default_factory=dict)  # further keys of REST_FRAMEWORK
    login_limits: dict = field(default_factory=lambda: {"enabled": False})  # Countersign's alone
    extra: dict = field(default_factory=dict)  # further settings of the top level, the same on both sides

    def but(self, **changes):
        """The same choice with some members replaced."""
        return replace(self, **changes)

    def django(self, database):
        """The JSON that `django_project/site_settings.py` reads."""
        return {
            "secret_key": self.secret_key,
            "database": database.django(),
            "installed_apps": [app for app in self.installed_apps if not app.startswith("django.")],
            "extra": self.extra,
            "knox": {name: _json(value) for name, value in self.knox.items()},
            "rest_framework": self.rest_framework,
            "authentication": list(self.authentication),
            "password_hashers": list(self.password_hashers),
            "work": self.work,
            "protected": list(self.protected),
            "simple_jwt": {name: _json(value) for name, value in self.simple_jwt.items()},
        }

    def countersign(self, database, bind="127.0.0.1:0"):
        """The text of `countersign.toml`."""
        lines = [
            f"secret_key = {_toml(self.secret_key)}",
            f"database_url = {_toml(database.url)}",
            f"bind = {_toml(bind)}",
            f"installed_apps = {_toml(list(self.installed_apps))}",
            *(f"{name.lower()} = {_toml(value)}" for name, value in self.extra.items()),
            "",
            "[simple_jwt]",
            *(f"{name.lower()} = {_toml(value)}" for name, value in self.simple_jwt.items()),
            "",
            "[sessions]",
            *(f"{name} = {_toml(value)}" for name, value in self.sessions.items()),
            "",
            "[knox]",
            *(f"{name.lower()} = {_toml(value)}" for name, value in self.knox.items()),
            "",
            "[rest_framework]",
            f"default_authentication_classes = {_toml(list(self.authentication))}",
            *(f"{name.lower()} = {_toml(value)}" for name, value in self.rest_framework.items()),
            "",
            "[throttling.logins]",
            *(f"{name} = {_toml(value)}" for name, value in self.login_limits.items()),
            "",
            "[auth]",
            f"password_hashers = {_toml(list(self.password_hashers))}",
        ]
        for name, work in self.work.items():
            lines += ["", f"[auth.{name}]", *(f"{key} = {_toml(v)}" for key, v in work.items())]
        for entry in self.protected:
            lines += ["", "[[protected]]", *(f"{key} = {_toml(v)}" for key, v in entry.items())]
        return "\n".join(lines) + "\n"


def _json(value):
    return {"seconds": value.total_seconds()} if isinstance(value, timedelta) else value


def _toml(value):
    """A TOML value; JSON's spelling of strings and lists is valid TOML, and `false` is SimpleJWT's None."""
    if value is None:
        return "false"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(key)} = {_toml(one)}" for key, one in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, timedelta):
        seconds = value.total_seconds()
        return json.dumps(int(seconds) if seconds == int(seconds) else seconds)
    return json.dumps(value)
