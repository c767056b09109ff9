"""Hashes stored by either side are verified, and upgraded, by the other."""

import pytest
from harness import database
from harness.choice import ALL_HASHERS, DEFAULT_HASHERS, Choice
from harness.hashing import accepted_by_django, made_by_django

PASSWORDS = {
    "ascii": "correct horse",
    "empty-ish": "0",
    "unicode": "größer 🔑 é",
    "long": "x" * 500,
}
BCRYPT_LIMIT = 72


def preferring(hasher):
    """All hashers enabled, this one first."""
    return Choice(password_hashers=(hasher, *(name for name in ALL_HASHERS if name != hasher)))


def log_in(server, username, password, path="/api-token-auth/"):
    return server.post(path, {"username": username, "password": password})


# md5 is never preferred: Countersign verifies it and makes none.
@pytest.fixture(scope="module", params=[name for name in ALL_HASHERS if name != "md5"])
def pair(request, start_pair):
    """Both servers prefer one hasher; for every other hasher and password there is a user a server."""
    accounts = [
        {"username": f"{server}-{hasher}-{name}", "password": made_by_django(password, hasher)}
        for server in ("django", "countersign")
        for hasher in ALL_HASHERS
        for name, password in PASSWORDS.items()
        if not (hasher == "bcrypt" and len(password.encode()) > BCRYPT_LIMIT)
    ]
    with start_pair(preferring(request.param), accounts) as pair:
        pair.preferred = request.param
        yield pair


@pytest.mark.parametrize("stored", ALL_HASHERS)
@pytest.mark.parametrize("name", PASSWORDS)
def test_verified_and_upgraded_alike(pair, stored, name):
    """Login at one re-hashes with the preferred hasher exactly when Django would, and the other can read it."""
    password = PASSWORDS[name]
    too_long = len(password.encode()) > BCRYPT_LIMIT
    if too_long and "bcrypt" in (stored, pair.preferred):
        # Django crashes here with the installed library: see test_bcrypt_over_72_bytes.
        user = f"countersign-{stored}-{name}"
        if stored != "bcrypt":
            assert log_in(pair.countersign, user, password).status in (200, 400)
        return
    prefixes = []
    for server, other in pair.directions():
        user = f"{server.name}-{stored}-{name}"
        before = database.password_of(pair.database, user)
        assert log_in(server, user, password + "!").status == 400
        assert database.password_of(pair.database, user) == before
        answer = log_in(server, user, password)
        assert answer.status == 200, answer.text
        after = database.password_of(pair.database, user)
        assert (after == before) == (stored == pair.preferred)
        assert accepted_by_django(password, after)
        assert not accepted_by_django(password + "!", after)
        assert log_in(other, user, password).json() == answer.json()
        assert database.password_of(pair.database, user) == after, "the other wanted to hash again"
        prefixes.append((after.split("$")[0], len(after)))
    assert prefixes[0] == prefixes[1]


def test_bcrypt_over_72_bytes(start_pair):
    """Where Django with the installed library crashes, Countersign answers a failed login."""
    accounts = [{"username": "u", "password": made_by_django("x" * 72, "bcrypt")}]
    with start_pair(preferring("pbkdf2_sha256"), accounts) as pair:
        assert log_in(pair.countersign, "u", "x" * 73).status == 400
        for server in pair.servers:
            assert log_in(server, "u", "x" * 72).status == 200


@pytest.mark.parametrize(
    ("hasher", "work"),
    [
        ("pbkdf2_sha256", {"iterations": 999}),
        ("pbkdf2_sha256", {"iterations": 1001}),
        ("pbkdf2_sha1", {"iterations": 500}),
        ("argon2", {"time_cost": 2}),
        ("argon2", {"memory_cost": 1024}),
        ("argon2", {"parallelism": 1}),
        ("bcrypt_sha256", {"rounds": 5}),
        ("bcrypt", {"rounds": 5}),
        ("scrypt", {"work_factor": 512}),
        ("scrypt", {"block_size": 4}),
        ("scrypt", {"parallelism": 2}),
    ],
    ids=str,
)
def test_outdated_work_is_renewed(start_pair, hasher, work):
    """Work factors other than the configured ones, lower or higher, are brought to the configured ones."""
    accounts = [
        {"username": name, "password": made_by_django("correct horse", hasher, **work)}
        for name in ("django", "countersign")
    ]
    with start_pair(preferring(hasher), accounts) as pair:
        forms = []
        for server in pair.servers:
            before = database.password_of(pair.database, server.name)
            assert log_in(server, server.name, "correct horse").status == 200
            after = database.password_of(pair.database, server.name)
            assert after != before
            assert accepted_by_django("correct horse", after)
            forms.append(work_part(after))
        assert forms[0] == forms[1]


def work_part(encoded):
    """The algorithm and its parameters, without salt and hash."""
    parts = encoded.split("$")
    kept = {
        "argon2": (0, 1, 2, 3), "bcrypt": (0, 1, 2, 3), "bcrypt_sha256": (0, 1, 2, 3),
        "scrypt": (0, 1, 3, 4), "pbkdf2_sha256": (0, 1), "pbkdf2_sha1": (0, 1),
    }  # fmt: skip
    return [parts[index] for index in kept[parts[0]]]


@pytest.mark.parametrize("hasher", DEFAULT_HASHERS)
def test_true_defaults(start_pair, hasher):
    """With no work factor configured both use those of Django 5.2, and neither hashes again."""
    choice = Choice(
        work={}, password_hashers=(hasher, *(name for name in DEFAULT_HASHERS if name != hasher))
    )
    accounts = [
        {"username": name, "password": made_by_django("correct horse", "pbkdf2_sha1")}
        for name in ("django", "countersign")
    ]
    with start_pair(choice, accounts) as pair:
        forms = []
        for server, other in pair.directions():
            assert log_in(server, server.name, "correct horse").status == 200
            after = database.password_of(pair.database, server.name)
            forms.append(work_part(after))
            assert log_in(other, server.name, "correct horse").status == 200
            assert database.password_of(pair.database, server.name) == after
        assert forms[0] == forms[1]


def test_upgrade_happens_for_inactive_users_and_not_on_failure(start_pair):
    """Django hashes again before it looks at is_active; the answer stays a refusal."""
    hashed = made_by_django("correct horse", "pbkdf2_sha1")
    accounts = [
        {"username": f"{name}-{active}", "password": hashed, "is_active": bool(active)}
        for name in ("django", "countersign")
        for active in (0, 1)
    ]
    with start_pair(Choice(), accounts) as pair:
        for server in pair.servers:
            assert log_in(server, f"{server.name}-1", "wrong").status == 400
            assert database.password_of(pair.database, f"{server.name}-1") == hashed
            assert log_in(server, f"{server.name}-0", "correct horse").status == 400
            assert database.password_of(pair.database, f"{server.name}-0").startswith("pbkdf2_sha256$1000$")


def test_short_salt_is_renewed(start_pair):
    """A salt under 128 bits calls for a new hash although the work is right."""
    import base64
    import hashlib

    digest = base64.b64encode(hashlib.pbkdf2_hmac("sha256", b"correct horse", b"short", 1000)).decode()
    hashed = f"pbkdf2_sha256$1000$short${digest}"
    accounts = [{"username": name, "password": hashed} for name in ("django", "countersign")]
    with start_pair(Choice(), accounts) as pair:
        for server in pair.servers:
            assert log_in(server, server.name, "correct horse").status == 200
            after = database.password_of(pair.database, server.name)
            assert len(after.split("$")[2]) == 22
            assert accepted_by_django("correct horse", after)


@pytest.mark.parametrize("path", ["/api-token-auth/", "/api/token/", "/api/token/sliding/"])
@pytest.mark.parametrize(
    "stored",
    [
        "!" + "x" * 40, "!", "", "plain", "md5$$" + "0" * 32, "0" * 32, "sha1$salt$" + "0" * 40,
        "pbkdf2_sha256$0$salt$AAAA", "Pbkdf2_sha256$1000$salt$AAAA",
    ],
    ids=["unusable", "bang", "empty", "plain", "unsalted-md5", "bare-md5", "sha1", "zero", "case"],
)  # fmt: skip
def test_useless_stored_values_never_match(start_useless, stored, path):
    """Whatever stands in the column that is no hash refuses every password, without an error."""
    index, pair = start_useless(stored)
    for password in ("correct horse", stored or "x", "!"):
        body = {"username": f"u{index}", "password": password}
        assert pair.countersign.post(path, body).status == (400 if path == "/api-token-auth/" else 401)
    assert database.password_of(pair.database, f"u{index}") == stored


@pytest.fixture(scope="module")
def start_useless(start_pair):
    """One pair with a user for each useless value."""
    values = []
    pair = start_pair(Choice(), [])
    with pair:

        def user_with(stored):
            if stored not in values:
                values.append(stored)
                database.add_users(
                    pair.database, [{"username": f"u{values.index(stored)}", "password": stored}]
                )
            return values.index(stored), pair

        yield user_with


def test_md5_and_bcrypt_need_to_be_listed(start_pair):
    """With Django's default list an md5 or plain bcrypt hash is a failed login at both."""
    accounts = [
        {"username": hasher, "password": made_by_django("correct horse", hasher)}
        for hasher in ("md5", "bcrypt")
    ]
    with start_pair(Choice(), accounts) as pair:
        for hasher in ("md5", "bcrypt"):
            for server in pair.servers:
                assert log_in(server, hasher, "correct horse").status == 400
