"""Fills the placeholders of the table of requests with fresh credentials."""

import base64
import hashlib
import random
import re
import time
import uuid

from . import database, tokens

PLACEHOLDER = re.compile(r"\{\{([a-z0-9-]+):([^}]*)\}\}")


def drf_key(username):
    """The DRF token every populated database holds for a user."""
    return hashlib.sha1(username.encode()).hexdigest()


class Filler:
    """Makes credentials that are right for one pair of servers."""

    def __init__(self, pair):
        self.pair, self.choice = pair, pair.choice
        self.jwt = pair.choice.simple_jwt
        self.ids = {
            row["username"]: row["id"]
            for row in database.rows(pair.database, "SELECT id, username FROM auth_user")
        }
        self.hashes = {
            row["username"]: hashlib.md5(row["password"].encode()).hexdigest().upper()
            for row in database.rows(pair.database, "SELECT username, password FROM auth_user")
        }
        with database.opened(pair.database) as transaction:
            for username, number in self.ids.items():
                if "rest_framework.authtoken" in self.choice.installed_apps:
                    transaction.execute(
                        "INSERT INTO authtoken_token (key, created, user_id) VALUES (?, ?, ?)",
                        drf_key(username), "2025-02-03 04:05:06.789000", number,
                    )

    def fill(self, value):
        """Replaces all placeholders in text; bytes come back as they are."""
        if isinstance(value, bytes):
            return value
        return PLACEHOLDER.sub(lambda match: self.make(match[1], match[2]), value)

    def make(self, what, argument):
        """One credential."""
        if what.startswith("basic"):
            return self.basic(what, argument)
        if what == "drf":
            return drf_key(argument)
        if what == "drf-upper":
            return drf_key(argument).upper()
        if what == "auth-jwt":
            word = self.jwt.get("AUTH_HEADER_TYPES", ["Bearer"])[0]
            return f"{word} {self.token('access', argument)}"
        if what in ("access", "refresh", "sliding"):
            return self.token(what, argument)
        return self.state(what, argument)

    def basic(self, what, argument):
        """Base64 for the Basic scheme."""
        encoded = base64.b64encode(argument.encode("latin-1" if what == "basic-latin1" else "utf-8")).decode()
        return "-_." + encoded[:4] + "*" + encoded[4:] if what == "basic-junk" else encoded

    def subject(self, username):
        """What stands in the user claim for a user."""
        return username if self.jwt.get("USER_ID_FIELD") == "username" else self.ids.get(username, username)

    def token(self, kind, username="alice", /, **changes):
        """A token both servers would have made, apart from `changes`."""
        if self.jwt.get("CHECK_REVOKE_TOKEN"):
            changes.setdefault("hash_password", self.hashes[username])
        return tokens.mint(kind, self.subject(username), self.choice, **changes)

    def state(self, state, kind):
        """A token of alice's in a certain state."""
        now = int(time.time())
        user, jti = self.jwt.get("USER_ID_CLAIM", "user_id"), self.jwt.get("JTI_CLAIM", "jti") or "jti"
        type_claim = self.jwt.get("TOKEN_TYPE_CLAIM", "token_type") or "token_type"
        size = self.jwt.get("ALGORITHM", "HS256")
        made = {
            "expired": {"lifetime": -3600},
            "justexpired": {"lifetime": -5},
            "otherkey": {"key": "another-key-0123456789-0123456789-0123456789-0123456789-0123456789"},
            "hs384": {"algorithm": "HS384" if size != "HS384" else "HS256"},
            "nouser": {"drop": (user,)},
            "nojti": {"drop": (jti,)},
            "notype": {"drop": (type_claim,)},
            "noexp": {"drop": ("exp",)},
            "norefreshexp": {"drop": ("refresh_exp",)},
            "oldrefreshexp": {"refresh_exp": now - 3600},
            "futureiat": {"iat": now + 600},
            "nbf": {"nbf": now + 600},
            "otheraud": {"aud": "other"},
            "otheriss": {"iss": "other"},
            "intid": {user: self.ids["alice"]},
            "nullid": {user: None},
            "ghost": {user: "ghost" if self.jwt.get("USER_ID_FIELD") == "username" else "999999"},
            "oddid": {user: "not-a-number"},
            "hugeid": {user: str(2**31)},
            "vastid": {user: "9" * 40},
            "badrevoke": {"hash_password": "0" * 32},
            "goodrevoke": {"hash_password": self.hashes["alice"]},
            "custom": {"name": "Zoë", "n": 1.5, "nothing": None, "groups": ["a", {"b": True}]},
            "floatexp": {"exp": now + 300.5},
            "stringexp": {"exp": str(now + 300)},
            "hugeexp": {"exp": 10**20},
            "emptyjti": {jti: ""},
            "longjti": {jti: uuid.uuid4().hex * 9},
            "nuljti": {jti: uuid.uuid4().hex + "\0"},
            "intjti": {jti: random.getrandbits(48)},
            "intsub": {"sub": 5},
            "wrongtype": {type_claim: "acces"},
        }
        if state in made:
            return self.token(kind, **made[state])
        token = self.token(kind)
        if state in ("recorded", "blacklisted"):
            self.record(token, blacklisted=state == "blacklisted")
            return token
        key = self.jwt.get("SIGNING_KEY", self.choice.secret_key)
        if state == "alg-none":
            return base64.urlsafe_b64encode(b'{"alg":"none"}').rstrip(b"=").decode() + (
                "." + token.split(".")[1] + "."
            )
        if state == "notobject":
            return tokens.sign(b"[1]", key, size)
        header = {"crit": {"crit": ["x"], "x": 1}, "kid": {"kid": "one"}}[state]
        return tokens.sign(tokens.claims(token), key, size, header)

    def record(self, token, blacklisted):
        """Puts a token into the tables of the blacklist app, if it is installed."""
        if "rest_framework_simplejwt.token_blacklist" not in self.choice.installed_apps:
            return
        claims = tokens.claims(token)
        with database.opened(self.pair.database) as transaction:
            (row,) = transaction.rows(
                "INSERT INTO token_blacklist_outstandingtoken (token, created_at, expires_at, user_id, jti)"
                " VALUES (?, '2026-01-01 00:00:00', ?, ?, ?) RETURNING id",
                token, tokens.instant(claims["exp"]), self.ids["alice"], claims[self.jwt.get("JTI_CLAIM", "jti")],
            )  # fmt: skip
            if blacklisted:
                transaction.execute(
                    "INSERT INTO token_blacklist_blacklistedtoken (blacklisted_at, token_id)"
                    " VALUES ('2026-01-01 00:00:01', ?)",
                    row["id"],
                )
