"""Tokens: Countersign's reading against the token classes of SimpleJWT, with PyJWT underneath."""

import base64
import hashlib
import hmac
import json
import random
import re
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from unittest import mock

import jwt.api_jwt
from rest_framework_simplejwt import tokens as simplejwt
from rest_framework_simplejwt.backends import TokenBackend
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.settings import DEFAULTS, api_settings

from .bytesplay import change
from .engine import BATCH, Rule

KEY = "differential-key-0123456789-0123456789-0123456789-0123456789-0123456789"
NOW = 1750000000
HASHES = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}
CLASSES = ["AccessToken", "AccessToken", "RefreshToken", "SlidingToken", "UntypedToken"]
SETTINGS = [
    {}, {}, {}, {"ALGORITHM": "HS384"}, {"ALGORITHM": "HS512"}, {"AUDIENCE": "a"}, {"AUDIENCE": ["a", "b"], "ISSUER": "me"}, {"ISSUER": ["me", "you"]},
    {"LEEWAY": 10}, {"LEEWAY": 0.5}, {"JTI_CLAIM": "tid"}, {"JTI_CLAIM": None}, {"TOKEN_TYPE_CLAIM": "typ"}, {"TOKEN_TYPE_CLAIM": None},
]  # fmt: skip
ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=.+/ \t\n\x00\x80\xff"
JSON_BYTES = b'{}[]",:\\ \n09eE-+.xu_ntf\x00\xff\xc3\xa9\xed\xa0'

VALUES = [
    "0", "1", "-1", "true", "false", "null", "[]", "{}", '""', '"x"', '"1"', '" 5 "', '"1_0"', '"\\u0661"', '"\\u00a01\\u001f"', '"\\ud807\\udf51"', '"\\ud800"', '"a\\u0000b"', '"0x10"', '"1.5"',
    "0.5", "-0", "-0.0", "1e400", "-1e400", "1e300", "NaN", "Infinity", "-Infinity", "9" * 19, "9" * 40, "-" + "9" * 30, "253402300799", "253402300800",
    "253402300799.9999996", "-62135596800", "-62135596801", "5e-324", '"a"', '["a"]', '["b","a"]', '["a",1]', '"me"', '["me"]', '"you"', '"access"', '"refresh"',
    '"sliding"', '"untyped"', '{"a":1,"a":2}', "[[[]]]", '"\\u00a05"', '"5\\n"', '"+5"', '"-5"', '"' + "9" * 30 + '"', '"1e3"', "1.0", "1E2", '"\u00e9"', "01", "'x'",
]  # fmt: skip
TIMES = [str(NOW + offset) for offset in (-100000, -11, -10, -1, 0, 1, 10, 11, 300, 100000)] + [
    f"{NOW}.5", f"{NOW}.999999", f"{NOW + 1}.000001", f"{NOW - 10}.0", "1.75e9", "1.750000001e9", f'"{NOW - 1}"', f'"{NOW + 60}"', f'" {NOW} "',
]  # fmt: skip
NAMES = ["exp", "iat", "nbf", "aud", "iss", "sub", "jti", "token_type", "user_id", "tid", "typ", "null", "", "\\u0065xp", "x", "crit", "\\ud800"]
HEADERS = [
    '{"alg":"%s"}', ' {"alg":"%s"} ', '{"typ":"JWT","alg":"%s"}', '{"alg":"%s","typ":null}', '{"alg":"%s","kid":"a"}', '{"alg":"%s","kid":1}', '{"alg":"%s","kid":null}',
    '{"alg":"%s","crit":["b64"],"b64":true}', '{"alg":"%s","crit":["b64"],"b64":false}', '{"alg":"%s","crit":[]}', '{"alg":"%s","crit":["exp"],"exp":1}',
    '{"alg":"%s","crit":["b64","b64"],"b64":true}', '{"alg":"%s","crit":"b64","b64":true}', '{"alg":"%s","crit":{"b64":1},"b64":true}', '{"alg":"%s","crit":null}',
    '{"alg":"%s","crit":[["b64"]],"b64":true}', '{"alg":"%s","b64":false}', '{"alg":"%s","b64":0}', '{"alg":"%s","b64":"false"}', '{"alg":"%s","zip":"DEF"}',
    '{"alg":"%s","zip":null}', '{"alg":"%s","enc":"A128GCM"}', '{"alg":"%s","jwk":{"kty":"oct","k":"AAAA"}}', '{"alg":"%s","jku":"https://x.example/k"}',
    '{"alg":"%s","x5c":["AAAA"],"x5u":"https://x.example"}', '{"alg":"none","alg":"%s"}', '{"alg":"%s","alg":"none"}', '{"ALG":"%s"}', '{"alg":["%s"]}',
    '{"alg":"%s "}', '{"alg":"%s\\u0000"}', '{"alg":"%s","n":NaN}', '{"alg":"%s","n":1e400}', '{"alg":"%s",}', '{"alg":"%s"}x', '{"\\u0061lg":"%s"}',
    '{"alg":"none"}', '{"alg":"NONE"}', '{"alg":""}', '{"alg":null}', '{"alg":0}', '{"alg":true}', '{"alg":"RS256"}', '{"alg":"ES256"}', "{}", "[]", "null", '""', "1", "",
]  # fmt: skip
ENCODINGS = ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be", "latin-1"]


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def generate(number):
    """One batch: the settings and the tokens that belong to the number."""
    rng = random.Random(number)
    settings = {"ALGORITHM": "HS256", **rng.choice(SETTINGS)}
    batch = {"settings": settings, "key": KEY, "now": NOW + rng.choice([0, 0, 0.25, 0.999999]), "token_class": rng.choice(CLASSES)}
    batch["strict"] = rng.randrange(8) == 0
    return batch, [make(rng, batch) for _ in range(BATCH)]


def make(rng, batch):
    settings = batch["settings"]
    algorithm = settings["ALGORITHM"]
    kind = batch["token_class"].removesuffix("Token").lower()
    header, payload = make_header(rng, algorithm), make_payload(rng, settings, kind)
    if rng.randrange(40) == 0:
        payload = payload.decode("utf-8", "replace").encode(rng.choice(ENCODINGS), "replace")
    header, payload = b64(header), b64(payload)
    draw = rng.random()
    if draw < 0.06:
        payload = change(rng, payload, ALPHABET)
    elif draw < 0.09:
        header = change(rng, header, ALPHABET)
    elif draw < 0.12:
        payload += b"=" * rng.randrange(1, 4)
    elif draw < 0.13:
        header += b"=" * rng.randrange(1, 4)
    signed = header + b"." + payload
    hashed, key = (rng.choice(list(HASHES)), KEY) if rng.random() < 0.04 else (algorithm, KEY)
    if rng.random() < 0.02:
        key = rng.choice(["", "x" * 64, KEY[:-1]])
    token = signed + b"." + b64(hmac.digest(key.encode(), signed, HASHES[hashed]))
    draw = rng.random()
    if draw < 0.12:
        token = change(rng, token, ALPHABET)
    elif draw < 0.14:
        token += b"=" * rng.randrange(1, 5)
    elif draw < 0.15:
        # The last character of a signature holds bits that are not used.
        token = token[:-1] + bytes([rng.choice(ALPHABET)])
    elif draw < 0.16:
        token = rng.choice([b"", b".", b"..", b"...", signed, signed + b".", b"." + signed, token + b".AA.AA", token + b"." + token, token.replace(b"-", b"+").replace(b"_", b"/")])
    return token


def make_header(rng, algorithm):
    if rng.random() < 0.7:
        return b'{"alg":"%s","typ":"JWT"}' % algorithm.encode()
    text = rng.choice(HEADERS)
    header = (text % rng.choice([algorithm] * 6 + list(HASHES)) if "%s" in text else text).encode()
    if rng.random() < 0.15:
        header = change(rng, header, JSON_BYTES)
    if rng.random() < 0.05:
        header = header.decode("utf-8", "replace").encode(rng.choice(ENCODINGS), "replace")
    return header


def make_payload(rng, settings, kind):
    members = [("token_type", f'"{kind}"'), ("exp", str(NOW + 300)), ("iat", str(NOW - 100)), ("jti", '"0f1e2d3c4b5a69788796a5b4c3d2e1f0"'), ("user_id", '"1"')]
    if "AUDIENCE" in settings:
        members.append(("aud", rng.choice(['"a"', '["b"]', '["x","a"]'])))
    if "ISSUER" in settings:
        members.append(("iss", '"me"'))
    for setting in ("JTI_CLAIM", "TOKEN_TYPE_CLAIM"):
        if settings.get(setting):
            members.append((settings[setting], f'"{kind}"'))
    for _ in range(rng.choice([0, 0, 1, 1, 1, 2, 3])):
        name = rng.choice(NAMES)
        value = rng.choice(TIMES) if name in ("exp", "iat", "nbf") and rng.random() < 0.6 else rng.choice(VALUES)
        place = next((at for at, (own, _) in enumerate(members) if own == name), None)
        match rng.randrange(6):
            case 0 if place is not None:
                del members[place]
            case 1 | 2 | 3 if place is not None:
                members[place] = (name, value)
            case _:
                members.insert(rng.randrange(len(members) + 1), (name, value))
    payload = ("{" + ",".join(f'"{name}":{value}' for name, value in members) + "}").encode("utf-8", "surrogatepass")
    draw = rng.random()
    if draw < 0.08:
        payload = change(rng, payload, JSON_BYTES)
    elif draw < 0.085:
        depth = rng.choice([10, 100, 890, 910, 2000])
        payload = payload[:-1] + b',"deep":' + b"[" * depth + b"]" * depth + b"}"
    elif draw < 0.09:
        payload = payload[:-1] + b',"long":"' + b"y" * rng.choice([5000, 5700, 5790, 5800, 5900, 7000]) + b'"}'
    elif draw < 0.10:
        payload = rng.choice([b"", b"{}", b"[]", b"null", b'""', b"1", b" " + payload + b"\n", payload + b"x", payload + b"\x00", payload + payload])
    return payload


@contextmanager
def configured(batch):
    """SimpleJWT under these settings, at this instant."""
    settings, now = batch["settings"], batch["now"]

    class Frozen(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.fromtimestamp(now, tz)

    for name, default in DEFAULTS.items():
        if name not in ("TOKEN_USER_CLASS", "USER_AUTHENTICATION_RULE", "AUTH_TOKEN_CLASSES", "JSON_ENCODER"):
            setattr(api_settings, name, settings.get(name, default))
    simplejwt.Token._token_backend = TokenBackend(
        api_settings.ALGORITHM, KEY, "", api_settings.AUDIENCE, api_settings.ISSUER, None, api_settings.LEEWAY, None
    )
    with mock.patch.object(jwt.api_jwt, "datetime", Frozen), mock.patch.object(
        simplejwt, "aware_utcnow", lambda: datetime.fromtimestamp(now, timezone.utc)
    ):
        yield


class Original:
    """SimpleJWT's verdicts. Settings are put in place once for a batch."""

    def __init__(self):
        self.batch, self.context = None, None

    def __call__(self, batch, token):
        if batch is not self.batch:
            self.close()
            self.batch, self.context = batch, configured(batch)
            self.context.__enter__()
        try:
            read = getattr(simplejwt, batch["token_class"])(token)
        except TokenError as error:
            return f"R{error}"
        except Exception as error:
            return f"C{type(error).__name__}: {error}"[:200]
        return "A" + json.dumps(read.payload, separators=(",", ":"))

    def close(self):
        if self.context:
            self.context.__exit__(None, None, None)
            self.context = None


def agree(ours, theirs):
    return ours.partition("\t")[0] == theirs if ours.startswith("R") else ours == theirs


def accepts(verdict):
    return verdict.startswith("A")


def gains(ours, theirs):
    return accepts(ours)


def part(token, number):
    """A part of a token as JSON, read as leniently as can be; None for what is none."""
    try:
        text = token.split(b".")[number]
        return json.loads(base64.urlsafe_b64decode(text.rstrip(b"=") + b"=" * (-len(text.rstrip(b"=")) % 4)))
    except (ValueError, IndexError, RecursionError):
        return None


def raw_part(token, number):
    try:
        text = token.split(b".")[number].rstrip(b"=")
        return base64.urlsafe_b64decode(text + b"=" * (-len(text) % 4))
    except (ValueError, IndexError):
        return b""


def claim_is(token, names, holds):
    payload = part(token, 1)
    return isinstance(payload, dict) and any(name in payload and holds(payload[name]) for name in names)


def is_odd_exp(value):
    """Text, or not within what Python's datetime holds."""
    if isinstance(value, str):
        return True
    return isinstance(value, (int, float)) and not -62135596800 <= value < 253402300800


def nesting(token):
    return max(deepest(raw_part(token, 0)), deepest(raw_part(token, 1)))


def deepest(text):
    depth = most = 0
    for byte in re.sub(rb'"(\\.|[^"\\])*"', b"", text):
        depth += byte in b"[{"
        depth -= byte in b"]}"
        most = max(most, depth)
    return most


def repeats(pairs):
    if len({name for name, _ in pairs}) < len(pairs):
        raise KeyError
    return dict(pairs)


def is_loose(token):
    """What strict rules refuse and the original does not, found by other means than Countersign's."""
    if b"=" in token:
        return True
    for number in (0, 1):
        raw = raw_part(token, number)
        try:
            text = raw.decode("utf-8")
            if text.startswith("\ufeff"):
                return True
            value = json.loads(text, object_pairs_hook=repeats, parse_constant=lambda _: 1 / 0)
        except (UnicodeDecodeError, ValueError, KeyError, ZeroDivisionError, RecursionError):
            return True
        if number == 0 and isinstance(value, dict) and "zip" in value:
            return True
        if number == 1 and isinstance(value, dict):
            times = [value[name] for name in ("exp", "iat", "nbf") if name in value]
            if any(isinstance(time, bool) or not isinstance(time, (int, float)) for time in times):
                return True
    return False


def invalid(ours):
    return ours.startswith("RToken is invalid\t")


RULES = [
    Rule("token over 8 KiB", lambda _, token, ours, theirs: len(token) > 8192 and invalid(ours)),
    Rule("`exp` as text, beyond year 9999", lambda _, token, ours, theirs: theirs.startswith("C") and claim_is(token, ["exp"], is_odd_exp) and invalid(ours)),
    Rule("JSON nested deeper than 900", lambda _, token, ours, theirs: nesting(token) > 900 and invalid(ours)),
    Rule("`simple_jwt.strict = true`", lambda batch, token, ours, theirs: batch["strict"] and is_loose(token) and invalid(ours)),
]
