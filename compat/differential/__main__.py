"""python -m differential tokens|headers|passwords [--cases N] [--seed S] [--state FILE] [--verdicts PROGRAM]"""

import argparse
import pathlib
import sys
import tempfile

import django
from django.conf import settings

from . import engine


def main():
    parser = argparse.ArgumentParser(prog="differential")
    parser.add_argument("kind", choices=["tokens", "headers", "passwords"])
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--state", type=pathlib.Path)
    parser.add_argument("--verdicts", required=True)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        database = pathlib.Path(folder) / "db.sqlite3"
        configure(database)
        try:
            counts = run(options, database)
        except engine.Unexplained as difference:
            print(f"{options.kind}: a difference that nothing explains\n{difference}", file=sys.stderr)
            return 1
    for name, count in sorted(counts.items()):
        print(f"{options.kind}: {name}: {count:,}")
    if options.state:
        print(f"{options.kind}: in all: {engine.total(options.state)['cases']:,} cases")
    return 0


def configure(database):
    settings.configure(
        SECRET_KEY="differential-0123456789-0123456789-0123456789-0123456789",
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(database)}},
        INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "rest_framework", "rest_framework.authtoken", "knox"],
        PASSWORD_HASHERS=[
            "differential.hashers.QuickHasher",
            *(
                f"django.contrib.auth.hashers.{name}PasswordHasher"
                for name in ("PBKDF2SHA1", "Argon2", "BCryptSHA256", "BCrypt", "Scrypt", "MD5")
            ),
        ],
        USE_TZ=True,
    )
    django.setup()


def run(options, database):
    common = {"count": options.cases, "state_file": options.state, "seed": options.seed}
    if options.kind == "tokens":
        from . import tokens as kind

        decide, generate, arguments = kind.Original(), kind.generate, ["tokens"]
    elif options.kind == "passwords":
        from . import passwords as kind

        decide, generate, arguments = kind.original, kind.generate, ["passwords"]
    else:
        from . import headers as kind

        world = kind.prepare()
        decide, generate, arguments = kind.Original(), kind.Cases(world), ["headers", f"sqlite:///{database}"]
    verdicts = engine.Verdicts(options.verdicts, *arguments)
    return engine.run(verdicts, generate, decide, kind, **common)


sys.exit(main())
