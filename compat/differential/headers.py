"""`Authorization` headers: Countersign's schemes against the authentication classes of DRF, SimpleJWT and Knox."""

import base64
import json
import random

from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import RequestFactory
from knox.auth import TokenAuthentication as KnoxAuthentication
from knox.models import AuthToken
from rest_framework.authentication import BasicAuthentication, TokenAuthentication
from rest_framework.authtoken.models import Token
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework_simplejwt.authentication import JWTAuthentication, JWTStatelessUserAuthentication
from rest_framework_simplejwt.models import TokenUser

from . import tokens
from .bytesplay import change
from .engine import BATCH, Rule

SETTINGS = {"key": tokens.KEY, "now": tokens.NOW, "iterations": 1}
BATCH_OF_TOKENS = {"settings": {"ALGORITHM": "HS256"}, "now": tokens.NOW, "token_class": "AccessToken", "strict": False}
# What a header may hold: no control characters but the tab.
ALPHABET = b"ABCXYZabcxyz0189 \t=+/.,:;-_\"'\\\x80\x85\xa0\xc3\xa9\xff"
KEYWORDS = [b"Token", b"token", b"TOKEN", b"Bearer", b"bearer", b"Basic", b"basic", b"BASIC", b"Digest", b"", b"Bearer:", b"Token,"]
BLANKS = [b" ", b" ", b" ", b" ", b"  ", b"\t", b" \t ", b"", b"\xa0", b","]


class World:
    """Users and what lets them in."""

    def __init__(self):
        self.secrets = []
        for name, active in (("alice", True), ("bob", False), ("j\u00f6rg", True), ("a:b", True)):
            user = User(username=name, is_active=active)
            user.set_password(f"sesame-{name}")
            user.save()
            key = Token.objects.create(user=user).key
            _, knox = AuthToken.objects.create(user=user, expiry=None)
            self.secrets += [key.encode(), knox.encode()] * 3
            self.secrets += [base64.b64encode(f"{name}:sesame-{name}".encode(coding)) for coding in ("utf-8", "latin-1")] * 3
            self.secrets.append(base64.b64encode(f"{name}:wrong".encode()))
            self.secrets += [self.token(str(user.pk)), self.token(user.pk)] * 2
        for user_id in ("99", "x", "", None, [], True, 1.0, 1.5, "1.0", " 1 ", "1_0", 2**63, -1, "\u0661", "\u00a01\x1f", "\u20031 ", "\U00011f51", "\x00", {}):
            self.secrets.append(self.token(user_id))
        Token.objects.create(user=User.objects.create(username="odd"), key="\u00e9" * 20)
        self.secrets += [("\u00e9" * 20).encode(), b"\xff\xfe", b"", b"====", b"Og==", base64.b64encode(b"alice"), base64.b64encode(b"alice:\xff"), base64.b64encode(b"al\x00ice:x")]

    def token(self, user_id):
        payload = json.dumps({"token_type": "access", "exp": tokens.NOW + 300, "iat": tokens.NOW, "jti": "0f1e", "user_id": user_id})
        signed = tokens.b64(b'{"alg":"HS256","typ":"JWT"}') + b"." + tokens.b64(payload.encode())
        return signed + b"." + tokens.b64(tokens.hmac.digest(tokens.KEY.encode(), signed, tokens.HASHES["HS256"]))


def prepare():
    """Makes the database that both read."""
    call_command("migrate", verbosity=0)
    return World()


class Cases:
    """Headers of the world's secrets."""

    def __init__(self, world):
        self.world = world

    def __call__(self, number):
        rng = random.Random(number)
        return SETTINGS, [self.make(rng) for _ in range(BATCH)]

    def make(self, rng):
        secret = tokens.make(rng, BATCH_OF_TOKENS) if rng.random() < 0.15 else rng.choice(self.world.secrets)
        if rng.random() < 0.25:
            secret = change(rng, secret, ALPHABET)
        keyword = rng.choice(KEYWORDS) if rng.random() < 0.4 else usual_keyword(secret)
        header = keyword + rng.choice(BLANKS) + secret
        draw = rng.random()
        if draw < 0.15:
            header = change(rng, header, ALPHABET)
        elif draw < 0.2:
            header += rng.choice([b" x", b" ", b"\t", b",", b", " + header, b"=", b" " + secret, b"\xa0"])
        elif draw < 0.22:
            header = rng.choice([b" ", b"\t", b""]) + header
        return bytes(byte for byte in header if byte == 9 or byte >= 32 and byte != 127)


def usual_keyword(secret):
    if secret.startswith(b"ey"):
        return b"Bearer"
    return b"Token" if len(secret) in (40, 64) else b"Basic"


class Original:
    """The answers of the classes, alone and in a chain."""

    def __init__(self):
        self.classes = [TokenAuthentication(), KnoxAuthentication(), JWTAuthentication(), JWTStatelessUserAuthentication(), BasicAuthentication()]
        self.request = RequestFactory().get("/")
        self.context = tokens.configured(BATCH_OF_TOKENS)
        self.context.__enter__()

    def __call__(self, _, header):
        self.request.META["HTTP_AUTHORIZATION"] = header.decode("latin-1")
        self.request.__dict__.pop("headers", None)  # which Django keeps once it is made
        alone = [self.answer(authentication) for authentication in self.classes]
        return "\n".join([*alone, next((answer for answer in alone if answer != "none"), "none")])

    def answer(self, authentication):
        try:
            found = authentication.authenticate(Request(self.request))
        except APIException as error:
            detail = error.detail if isinstance(error.detail, (dict, list)) else {"detail": error.detail}
            return f"{error.status_code} {json.dumps(detail, separators=(',', ':'))}"
        except Exception as error:
            return f"C{type(error).__name__}: {error}"[:200].replace("\n", " ")
        if found is None:
            return "none"
        user = found[0]
        if isinstance(user, TokenUser):
            return f"claims {json.dumps(user.token['user_id'], separators=(',', ':'))}"
        return f"user {user.pk}"


def agree(ours, theirs):
    return ours == theirs


def accepts(verdict):
    """Whether any scheme lets somebody in."""
    return any(line.startswith(("user ", "claims ")) for line in verdict.split("\n"))


def gains(ours, theirs):
    return any(accepts(line) for _, line, _ in differing(ours, theirs))


def differing(ours, theirs):
    """The schemes of which the answers differ: name, ours, theirs. The chain's follows from theirs."""
    names = ["token", "knox", "jwt", "jwt_stateless", "basic", "chain"]
    return [line for line in zip(names, ours.split("\n"), theirs.split("\n"), strict=True) if line[1] != line[2]]


def all_are(explained):
    """A rule over headers: each answer that differs is explained, and one of them by this rule."""

    def covers(_, header, ours, theirs):
        lines = [line for line in differing(ours, theirs) if line[0] != "chain"]
        return bool(lines) and all(any(rule(header, *line) for rule in EXPLAINED) for line in lines) and any(explained(header, *line) for line in lines)

    return covers


def user_not_found(header, name, ours, theirs):
    return name == "jwt" and theirs.startswith("C") and '"user_not_found"' in ours


def knox_utf8(header, name, ours, theirs):
    return name == "knox" and theirs.startswith("CUnicodeDecodeError") and "invalid characters" in ours


def nul_in_name(header, name, ours, theirs):
    return name == "basic" and theirs.startswith("C") and "Invalid username" in ours


def inside(rule):
    """A rule of tokens.py, of the token in a header."""

    def covers(header, name, ours, theirs):
        words = header.split()
        is_refused = name.startswith("jwt") and len(words) == 2 and '"Token is invalid"' in ours
        return is_refused and rule.covers(BATCH_OF_TOKENS, words[1], "RToken is invalid\t", theirs)

    return covers


OF_TOKENS = {rule.line: inside(rule) for rule in tokens.RULES}
EXPLAINED = [user_not_found, knox_utf8, nul_in_name, *OF_TOKENS.values()]
RULES = [
    Rule("user id claim that is no number", all_are(user_not_found)),
    Rule("a token that is not UTF-8", all_are(knox_utf8)),
    Rule("NUL in a Basic user name", all_are(nul_in_name)),
    *(Rule(line, all_are(explained)) for line, explained in OF_TOKENS.items()),
]
