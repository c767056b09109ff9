"""The same request gets the same answer from Django and from Countersign, and has the same effect.

The requests are in `answers_table.py`, what may differ is in `differences.py`. Settings other than
the default ones get the part of the table that deals with credentials.
"""

from datetime import timedelta

import pytest
from answers_table import CREDENTIALS, PROTECTED, TABLE
from differences import explained
from harness import compare, database
from harness.choice import AUTHTOKEN, Choice
from harness.placeholders import Filler

TABLES = (
    "authtoken_token", "token_blacklist_outstandingtoken", "token_blacklist_blacklistedtoken",
)  # fmt: skip
BASE = Choice(protected=PROTECTED)

SETTINGS = {
    "default": BASE,
    "rotation": BASE.but(
        simple_jwt={
            "ROTATE_REFRESH_TOKENS": True,
            "BLACKLIST_AFTER_ROTATION": True,
            "UPDATE_LAST_LOGIN": True,
        }
    ),
    "rotation-only": BASE.but(simple_jwt={"ROTATE_REFRESH_TOKENS": True}),
    "revoke": BASE.but(simple_jwt={"CHECK_REVOKE_TOKEN": True}),
    "headers": BASE.but(
        simple_jwt={"AUTH_HEADER_TYPES": ["JWT", "Bearer"], "AUTH_HEADER_NAME": "HTTP_X_ACCESS_TOKEN"}
    ),
    "claims": BASE.but(
        simple_jwt={
            "USER_ID_FIELD": "username",
            "USER_ID_CLAIM": "uid",
            "JTI_CLAIM": "token_id",
            "TOKEN_TYPE_CLAIM": "kind",
            "ALGORITHM": "HS512",
            "SIGNING_KEY": "another-signing-key-0123456789-0123456789-0123456789-0123456789-xy",
        }
    ),
    "audience": BASE.but(
        simple_jwt={"AUDIENCE": ["reports", "billing"], "ISSUER": "https://issuer.example"},
        authentication=("jwt", "basic"),
    ),
    "leeway": BASE.but(
        simple_jwt={"LEEWAY": 30, "CHECK_USER_IS_ACTIVE": False}, authentication=("basic", "jwt", "token")
    ),
    "classes": BASE.but(
        simple_jwt={
            "AUTH_TOKEN_CLASSES": [
                "rest_framework_simplejwt.tokens.AccessToken",
                "rest_framework_simplejwt.tokens.SlidingToken",
            ],
            "ACCESS_TOKEN_LIFETIME": timedelta(minutes=7),
            "SLIDING_TOKEN_LIFETIME": timedelta(minutes=2),
            "SLIDING_TOKEN_REFRESH_LIFETIME": timedelta(hours=3),
        },
        authentication=("jwt_stateless", "token"),
    ),
    "unchecked": BASE.but(
        simple_jwt={"TOKEN_TYPE_CLAIM": None, "JTI_CLAIM": None}, installed_apps=(AUTHTOKEN,)
    ),
    "no-blacklist": BASE.but(installed_apps=(AUTHTOKEN,)),
}


@pytest.fixture(scope="module")
def pair_for(start_pair):
    """The pair of servers of a setting; the cases come sorted by setting, so one pair runs at a time."""
    running = {}

    def get(setting):
        if setting not in running:
            stop()
            pair = start_pair(SETTINGS[setting]).__enter__()
            running[setting] = pair
            pair.filler = Filler(pair)
            pair.tables = [table for table in TABLES if table in pair.database.tables()]
        return running[setting]

    def stop():
        while running:
            running.popitem()[1].__exit__()

    yield get
    stop()


def counted(pair):
    """Number of rows of the tables that requests write to."""
    counts = ", ".join(f"(SELECT count(*) FROM {table}) AS {table}" for table in pair.tables)
    return list(database.one(pair.database, f"SELECT {counts}").values())


def asked(pair, server, case):
    """The normal form of a server's answer, with the rows it added."""
    headers = [
        (name, value if isinstance(value, bytes) else pair.filler.fill(value).encode())
        for name, value in case.headers
    ]
    body = pair.filler.fill(case.body)
    before = counted(pair)
    answer = server.send(case.method, case.path, headers, body, **case.options)
    normal = compare.normal(case, answer)
    if answer.status != 500:
        added = [after - earlier for after, earlier in zip(counted(pair), before, strict=True)]
        normal["headers"]["rows added"] = added
    return normal


def pytest_generate_tests(metafunc):
    """Named after settings and case, so that a failure names the request."""
    if "case" in metafunc.fixturenames:
        metafunc.parametrize(
            ("setting", "case"),
            [
                pytest.param(setting, case, id=f"{setting}-{case.name.encode('unicode_escape').decode()}")
                for setting in SETTINGS
                for case in (TABLE if setting == "default" else CREDENTIALS)
            ],
        )


def test_same_answer(pair_for, setting, case):
    """Status, headers, body and added rows are equal, or the difference is a listed one."""
    pair = pair_for(setting)
    for attempt in range(2):
        django, ours = asked(pair, pair.django, case), asked(pair, pair.countersign, case)
        found = compare.difference(django, ours)
        if found is None or explained(case, django, ours):
            return
        if attempt == 0 and "<now" not in found:
            break  # only a second's boundary between two tokens deserves another try
    pytest.fail(f"{case.method} {case.path} {case.headers}\n{found}", pytrace=False)
