"""Tokens made by either server are honoured, recorded and revoked by the other."""

from datetime import timedelta

import pytest
from conftest import PASSWORD
from harness import database, keypairs, tokens
from harness.choice import Choice
from harness.wire import Answer

OUTSTANDING = "token_blacklist_outstandingtoken"
BLACKLISTED = "token_blacklist_blacklistedtoken"

SETTINGS = {
    "default": Choice(),
    "rotation": Choice(
        simple_jwt={
            "ROTATE_REFRESH_TOKENS": True,
            "BLACKLIST_AFTER_ROTATION": True,
            "UPDATE_LAST_LOGIN": True,
        }
    ),
    "revoke": Choice(simple_jwt={"CHECK_REVOKE_TOKEN": True}),
    "claims": Choice(
        simple_jwt={
            "ALGORITHM": "HS512",
            "SIGNING_KEY": "another-signing-key-0123456789-0123456789-0123456789-0123456789-xy",
            "USER_ID_FIELD": "username",
            "USER_ID_CLAIM": "uid",
            "JTI_CLAIM": "token_id",
            "TOKEN_TYPE_CLAIM": "kind",
            "AUDIENCE": ["reports", "büro"],
            "ISSUER": "https://issuer.example",
            "ACCESS_TOKEN_LIFETIME": timedelta(seconds=77),
            "REFRESH_TOKEN_LIFETIME": timedelta(hours=2),
        }
    ),
    "eddsa": Choice(simple_jwt=keypairs.settings("EdDSA")),
    "rs512": Choice(simple_jwt=keypairs.settings("RS512")),
    "sliding": Choice(
        simple_jwt={
            "AUTH_TOKEN_CLASSES": [
                "rest_framework_simplejwt.tokens.AccessToken",
                "rest_framework_simplejwt.tokens.SlidingToken",
            ],
            "SLIDING_TOKEN_LIFETIME": timedelta(minutes=2),
            "SLIDING_TOKEN_REFRESH_LIFETIME": timedelta(hours=3),
        }
    ),
}


@pytest.fixture(scope="module", params=SETTINGS, ids=str)
def pair(request, start_pair):
    with start_pair(SETTINGS[request.param]) as pair:
        pair.setting = request.param
        yield pair


def ok(answer: Answer):
    """The body of a 200."""
    assert answer.status == 200, (answer.status, answer.text)
    return answer.json()


def login(server, path="/api/token/", username="alice"):
    return ok(server.post(path, {"username": username, "password": PASSWORD}))


def revoke_claim(server, token):
    """The member added by CHECK_REVOKE_TOKEN, to compare across servers."""
    return tokens.claims(token).get("hash_password")


def test_drf_token_is_shared(pair):
    """Whoever is asked first makes the token; both give and accept the same one."""
    for number, (first, second) in enumerate(pair.directions()):
        username = ["alice", "carol"][number]
        key = login(first, "/api-token-auth/", username)["token"]
        assert len(key) == 40 and set(key) <= set("0123456789abcdef")
        assert login(second, "/api-token-auth/", username)["token"] == key
        for server in pair.servers:
            body = ok(server.whoami(f"Token {key}"))
            assert body == {"user_id": pair.id_of(username), "username": username, "auth": "token"}
        row = database.one(pair.database, "SELECT * FROM authtoken_token WHERE key = ?", key)
        types = pair.database.types("authtoken_token", "key = ?", key)
        assert types["created"] == pair.database.instant_type and row["user_id"] == pair.id_of(username)
        assert database.shape(row["created"]) in ("0000-00-00 00:00:00.000000", "0000-00-00 00:00:00")


def test_tokens_have_the_same_text(pair):
    """Header, member order, spelling and lifetimes are equal; also the answers' bytes around them."""
    for path in ("/api/token/", "/api/token/sliding/"):
        for _ in range(5):  # a second may end between two instants of one login
            ours, theirs = login(pair.countersign, path), login(pair.django, path)
            shapes = [{name: tokens.shape(token) for name, token in body.items()} for body in (ours, theirs)]
            if shapes[0] == shapes[1]:
                break
        assert list(ours) == list(theirs)
        assert shapes[0] == shapes[1]
        for name in ours:
            assert revoke_claim(pair.countersign, ours[name]) == revoke_claim(pair.django, theirs[name])


def test_outstanding_rows_are_alike(pair):
    """Every column has the type and the form Django gives it, and the same relation to the token."""
    forms = []
    for server in pair.servers:
        for path, name in (("/api/token/", "refresh"), ("/api/token/sliding/", "token")):
            token = login(server, path)[name]
            row = outstanding(pair, token)
            claims = tokens.claims(token)
            jti = claims[pair.choice.simple_jwt.get("JTI_CLAIM", "jti")]
            assert row["jti"] == jti
            assert row["user_id"] == pair.id_of("alice")
            assert row["expires_at"] == tokens.instant(claims["exp"])
            forms.append((name, row["types"], database.shape(row["created_at"]).split(".")[0],
                          database.shape(row["expires_at"])))  # fmt: skip
    assert forms[:2] == forms[2:]


def outstanding(pair, token):
    row = database.one(pair.database, f"SELECT * FROM {OUTSTANDING} WHERE token = ?", token)
    row["types"] = pair.database.types(OUTSTANDING, "token = ?", token)
    return row


def test_access_token_is_accepted_by_the_other(pair):
    """An access token of one opens the protected resource of the other."""
    for maker, reader in pair.directions():
        access = login(maker)["access"]
        body = ok(reader.whoami(f"Bearer {access}"))
        assert body == {"user_id": pair.id_of("alice"), "username": "alice", "auth": "jwt"}
        assert ok(reader.post("/api/token/verify/", {"token": access})) == {}


def test_refresh_token_is_accepted_by_the_other(pair):
    """A refresh token of one is refreshed by the other, and the access token made so is good at both."""
    shapes = []
    for maker, reader in pair.directions():
        refresh = login(maker)["refresh"]
        assert ok(reader.post("/api/token/verify/", {"token": refresh})) == {}
        body = ok(reader.post("/api/token/refresh/", {"refresh": refresh}))
        assert list(body) == (["access", "refresh"] if pair.setting == "rotation" else ["access"])
        shapes.append({name: tokens.shape(token, lifetimes=False) for name, token in body.items()})
        for server in pair.servers:
            ok(server.whoami(f"Bearer {body['access']}"))
    assert shapes[0] == shapes[1]


def test_sliding_token_is_accepted_by_the_other(pair):
    """A sliding token of one is verified and refreshed by the other, keeping jti and refresh_exp."""
    jti = pair.choice.simple_jwt.get("JTI_CLAIM", "jti")
    for maker, reader in pair.directions():
        sliding = login(maker, "/api/token/sliding/")["token"]
        assert ok(reader.post("/api/token/verify/", {"token": sliding})) == {}
        renewed = ok(reader.post("/api/token/sliding/refresh/", {"token": sliding}))["token"]
        before, after = tokens.claims(sliding), tokens.claims(renewed)
        assert list(before) == list(after)
        assert (before[jti], before["refresh_exp"]) == (after[jti], after["refresh_exp"])
        status = reader.whoami(f"Bearer {renewed}").status
        assert status == (200 if pair.setting == "sliding" else 401)


def test_blacklisting_at_one_is_honoured_by_the_other(pair):
    """A token revoked at one is refused by both for refresh, blacklist and sliding refresh."""
    gone = {"detail": "Token is blacklisted", "code": "token_not_valid"}
    for maker, reader in pair.directions():
        refresh = login(reader)["refresh"]
        assert ok(maker.post("/api/token/blacklist/", {"refresh": refresh})) == {}
        for server in pair.servers:
            for path in ("/api/token/refresh/", "/api/token/blacklist/"):
                answer = server.post(path, {"refresh": refresh})
                assert (answer.status, answer.json()) == (401, gone)
            verify = server.post("/api/token/verify/", {"token": refresh})
            assert verify.status == (400 if pair.setting == "rotation" else 200)
        row = database.one(
            pair.database,
            f"""SELECT b.* FROM {BLACKLISTED} b
                JOIN {OUTSTANDING} o ON o.id = b.token_id WHERE o.token = ?""",
            refresh,
        )
        types = pair.database.types(BLACKLISTED, "id = ?", row["id"])
        assert types["blacklisted_at"] == pair.database.instant_type
        assert database.shape(row["blacklisted_at"]).startswith("0000-00-00 00:00:00")


def test_unknown_refresh_token_is_recorded_when_blacklisted(pair):
    """A valid token absent from the outstanding table gets equal rows at both."""
    user = "alice" if pair.setting == "claims" else pair.id_of("alice")
    made = []
    for server in pair.servers:
        refresh = tokens.mint("refresh", user, pair.choice, lifetime=3600)
        ok(server.post("/api/token/blacklist/", {"refresh": refresh}))
        row = outstanding(pair, refresh)
        assert row["user_id"] == pair.id_of("alice")
        made.append((row["types"], row["created_at"] is None, database.shape(row["expires_at"])))
    assert made[0] == made[1]


def test_rotation_at_one_is_honoured_by_the_other(start_pair):
    """The old refresh token dies at both, the new one lives at both, and each is on record once."""
    with start_pair(SETTINGS["rotation"]) as pair:
        for maker, reader in pair.directions():
            refresh = login(maker)["refresh"]
            chain = [refresh]
            for server in (reader, maker, reader, maker):
                chain.append(ok(server.post("/api/token/refresh/", {"refresh": chain[-1]}))["refresh"])
            for old in chain[:-1]:
                for server in pair.servers:
                    answer = server.post("/api/token/refresh/", {"refresh": old})
                    assert (answer.status, answer.json()["detail"]) == (401, "Token is blacklisted")
            for token in chain:
                assert outstanding(pair, token)["user_id"] == pair.id_of("alice")
        count = database.value(pair.database, f"SELECT count(*) FROM {BLACKLISTED}")
        assert count == 8


def test_a_blacklisted_token_is_called_that_whatever_else_is_wrong(start_pair):
    """Of a token that is void, expired and of an inactive user both name the same trouble."""
    with start_pair(SETTINGS["rotation"]) as pair:
        used = login(pair.servers[0])["refresh"]
        live = ok(pair.servers[0].post("/api/token/refresh/", {"refresh": used}))["refresh"]
        expired = tokens.mint("refresh", pair.id_of("alice"), pair.choice, lifetime=-5)
        access = login(pair.servers[0])["access"]
        database.execute(pair.database, "UPDATE auth_user SET is_active = ? WHERE username = ?", False, "alice")
        for token in (used, live, expired, access):
            answers = [server.post("/api/token/refresh/", {"refresh": token}) for server in pair.servers]
            assert (answers[0].status, answers[0].json()) == (answers[1].status, answers[1].json())
            assert (answers[0].json()["detail"] == "Token is blacklisted") == (token == used)
        assert database.value(pair.database, f"SELECT count(*) FROM {BLACKLISTED}") == 1


@pytest.mark.parametrize("rotation", [True, False], ids=["update-last-login", "leave-last-login"])
def test_last_login(start_pair, rotation):
    """UPDATE_LAST_LOGIN writes the column at JWT login only, in Django's form."""
    with start_pair(SETTINGS["rotation" if rotation else "default"]) as pair:
        for server in pair.servers:
            database.execute(pair.database, "UPDATE auth_user SET last_login = NULL")
            login(server, "/api-token-auth/")
            assert last_login(pair) is None
            refresh = login(server)["refresh"]
            written = last_login(pair)
            if rotation:
                assert database.shape(written) in ("0000-00-00 00:00:00.000000", "0000-00-00 00:00:00")
            else:
                assert written is None
            ok(server.post("/api/token/refresh/", {"refresh": refresh}))
            assert last_login(pair) == written


def last_login(pair):
    return database.value(pair.database, "SELECT last_login FROM auth_user WHERE username = 'alice'")


def test_user_changes_are_seen_by_both(start_pair):
    """Deactivation, deletion of a token and a new password count at once, whoever wrote them."""
    with start_pair(Choice(simple_jwt={"CHECK_REVOKE_TOKEN": True})) as pair:
        key = login(pair.django, "/api-token-auth/")["token"]
        access = login(pair.countersign)["access"]
        database.execute(pair.database, "UPDATE auth_user SET is_active = FALSE WHERE username = 'alice'")
        for server in pair.servers:
            assert server.whoami(f"Token {key}").json() == {"detail": "User inactive or deleted."}
            assert server.whoami(f"Bearer {access}").json()["code"] == "user_inactive"
        database.execute(pair.database, "UPDATE auth_user SET is_active = TRUE WHERE username = 'alice'")
        database.execute(pair.database, "DELETE FROM authtoken_token")
        for server in pair.servers:
            assert server.whoami(f"Token {key}").json() == {"detail": "Invalid token."}
            ok(server.whoami(f"Bearer {access}"))
        changed = pair.django.run("changepassword", "alice", input="")
        assert changed.returncode != 0  # no terminal: the password stays
        database.execute(
            pair.database,
            "UPDATE auth_user SET password = (SELECT password FROM auth_user WHERE username = 'café') "
            "WHERE username = 'alice'",
        )
        for server in pair.servers:
            assert server.whoami(f"Bearer {access}").json()["code"] == "password_changed"
