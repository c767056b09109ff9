"""Records what SimpleJWT makes of tokens, and the tokens it makes.

Run from the project's root in an environment with Django, DRF and djangorestframework-simplejwt:

    python compat/make_token_cases.py read > testdata/compat/more_tokens.jsonl
    python compat/make_token_cases.py make > testdata/compat/made_tokens.jsonl

`read`: one line a token, in the format of tokens.jsonl (verdict `accept`, `reject` or `crash`). Names that begin with
`differs/` are those Countersign refuses on purpose. `make`: `settings`, `now`, `steps` and the `token` that came out, with ids
that count up (`00…01`). The clock is frozen in both.
"""

import base64
import hashlib
import hmac
import json
import random
import sys
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from unittest import mock

import django
from django.conf import settings as django_settings

django_settings.configure(
    SECRET_KEY="compat-reference-secret-key-0123456789-abcdefghijklmnopqrstuv",
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "rest_framework", "rest_framework_simplejwt"],
    USE_TZ=True,
)
django.setup()

import jwt.api_jwt  # noqa: E402
from rest_framework_simplejwt import tokens  # noqa: E402
from rest_framework_simplejwt.backends import TokenBackend  # noqa: E402
from rest_framework_simplejwt.exceptions import TokenError  # noqa: E402
from rest_framework_simplejwt.settings import DEFAULTS, api_settings  # noqa: E402

KEY = "more-tokens-key-0123456789-0123456789-0123456789-0123456789-0123456789"
NOW = 1750000000
HASHES = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}
random.seed(20250616)


def from_json(value):
    """A setting as the file has it."""
    return timedelta(seconds=value["seconds"]) if isinstance(value, dict) else value


@contextmanager
def configured(settings, now):
    class Frozen(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.fromtimestamp(now, tz)

    for name, default in DEFAULTS.items():
        if name not in ("TOKEN_USER_CLASS", "USER_AUTHENTICATION_RULE", "AUTH_TOKEN_CLASSES", "JSON_ENCODER"):
            setattr(api_settings, name, from_json(settings.get(name, default)))
    tokens.Token._token_backend = TokenBackend(
        api_settings.ALGORITHM, KEY, "", api_settings.AUDIENCE, api_settings.ISSUER, None, api_settings.LEEWAY, None
    )
    tokens.AccessToken.lifetime = api_settings.ACCESS_TOKEN_LIFETIME
    tokens.RefreshToken.lifetime = api_settings.REFRESH_TOKEN_LIFETIME
    tokens.SlidingToken.lifetime = api_settings.SLIDING_TOKEN_LIFETIME
    tokens.RefreshToken.no_copy_claims = (api_settings.TOKEN_TYPE_CLAIM, "exp", api_settings.JTI_CLAIM, "jti", "iat")
    with mock.patch.object(jwt.api_jwt, "datetime", Frozen), mock.patch.object(
        tokens, "aware_utcnow", lambda: datetime.fromtimestamp(now, timezone.utc)
    ):
        yield


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def seal(header, payload, key=KEY, alg="HS256"):
    """Signs raw header and payload bytes, already in base64url when given as such."""
    signed = b".".join([header, payload])
    return signed + b"." + b64(hmac.new(key.encode(), signed, HASHES[alg]).digest())


HEADER = '{"alg":"HS256","typ":"JWT"}'
BASE = {"token_type": "access", "exp": NOW + 300, "iat": NOW - 100, "jti": "0f1e2d3c4b5a69788796a5b4c3d2e1f0", "user_id": "1"}


def raw(name, value):
    """BASE as JSON with one claim given as raw JSON text (None removes it)."""
    members = [f'"{key}":{json.dumps(own)}' for key, own in BASE.items() if key != name]
    if value is not None:
        members.append(f'"{name}":{value}')
    return "{" + ",".join(members) + "}"


def token_of(payload=None, header=HEADER, **options):
    payload = json.dumps(BASE, separators=(",", ":")) if payload is None else payload
    payload = payload if isinstance(payload, bytes) else payload.encode()
    header = header if isinstance(header, bytes) else header.encode()
    return seal(b64(header), b64(payload), **options)


def record(name, token, settings=None, now=NOW, token_class="AccessToken"):
    settings = {"ALGORITHM": "HS256", **(settings or {})}
    line = {
        "name": name, "alg": settings["ALGORITHM"], "key": {"signing": KEY, "verifying": ""}, "token": token.decode("latin-1"),
        "now": now, "token_class": token_class, "settings": settings,
    }
    with configured(settings, now):
        try:
            read = getattr(tokens, token_class)(token)
            line |= {"verdict": "accept", "error": None, "claims": json.dumps(read.payload, separators=(",", ":"))}
        except TokenError as error:
            cause = error.__cause__
            while cause is not None and cause.__cause__ is not None:
                cause = cause.__cause__
            line |= {"verdict": "reject", "error": str(error), "cause": cause and f"{type(cause).__name__}: {cause}"[:200]}
        except Exception as error:
            line |= {"verdict": "crash", "error": None, "cause": f"{type(error).__name__}: {error}"[:200]}
            line["advice"] = 'reject, answering "Token is invalid"'
    print(json.dumps(line))


def read_cases():
    times = [
        str(NOW), str(NOW + 1), str(NOW - 1), str(NOW - 10), str(NOW - 11), str(NOW + 10), str(NOW + 11), f"{NOW}.0", f"{NOW}.999999",
        f"{NOW + 1}.000001", f"{NOW}e0", "1.75e9", "1.750000001e9", "1e400", "-1e400", "NaN", "Infinity", "-Infinity", "1e300", "-1e300",
        f'"{NOW - 1}"', f'"{NOW + 60}"', f'" {NOW - 1} "', f'"\\n{NOW - 1}\\t"', '"1_0"', '"1__0"', '"_1"', '"1_"', '"+5"', '"-5"', '"- 5"',
        '"+-5"', '"0x10"', '"1.0"', '"1e3"', '""', '" "', '"007"', '"\\u00a05"', '"\\u001c5"', '"5\\u0000"', '"\\ud800"', "true", "false",
        "null", "[]", "{}", "[1]", "-1", "0", "-0", "-0.5", "0.5", "253402300799", "253402300800", "253402300799.5", "253402300799.99997",
        "9" * 18, "9" * 19, "9" * 30, "-" + "9" * 30, "-62135596800", "-62135596801", "5e-324",
    ]
    for claim in ("exp", "iat", "nbf"):
        for value in times:
            record(f"{claim}/{value[:40]}", token_of(raw(claim, value)))
    for now in (NOW + 0.000001, NOW + 0.5, NOW + 0.999999):
        for leeway in (0, 1, 10, 0.5, {"seconds": 10}, -10):
            for claim, value in (("exp", NOW - 10), ("exp", NOW), ("exp", NOW + 1), ("iat", NOW + 1), ("iat", NOW + 11), ("nbf", NOW - 9)):
                record(f"clock/{claim}={value - NOW}/now={now - NOW:.6f}/{leeway}", token_of(raw(claim, str(value))), {"LEEWAY": leeway}, now)

    headers = [
        '{"typ":"JWT","alg":"HS256"}', '{"alg":"HS256"}', ' {"alg":"HS256"} ', '{"alg":"HS256","typ":null}', '{"alg":"HS256","kid":""}',
        '{"alg":"HS256","kid":1}', '{"alg":"HS256","kid":"../../dev/null"}', '{"alg":"HS256","kid":["a"]}', '{"alg":["HS256"]}',
        '{"alg":{"HS256":1}}', '{"alg":"HS256 "}', '{"alg":"hS256"}', '{"alg":"none"}', '{"alg":"NONE"}', '{"alg":"HS512"}', '{"alg":0}',
        '{"alg":true}', '{"alg":"none","alg":"HS256"}', '{"alg":"HS256","alg":"none"}', '{"ALG":"HS256"}', "{}", "[]", "1", "null", '""',
        '{"alg":"HS256","crit":["b64"],"b64":true}', '{"alg":"HS256","crit":["b64"],"b64":null}', '{"alg":"HS256","crit":["b64"],"b64":0}',
        '{"alg":"HS256","crit":["b64","b64"],"b64":true}', '{"alg":"HS256","crit":["b64","x"],"b64":true,"x":1}', '{"alg":"HS256","crit":"b64","b64":true}',
        '{"alg":"HS256","crit":{"b64":1},"b64":true}', '{"alg":"HS256","crit":[["b64"]],"b64":true}', '{"alg":"HS256","crit":false}',
        '{"alg":"HS256","b64":false}', '{"alg":"HS256","b64":0}', '{"alg":"HS256","b64":"false"}', '{"alg":"HS256","zip":"DEF"}',
        '{"alg":"HS256","enc":"A128GCM"}', '{"alg":"HS256","jwk":{"kty":"oct","k":"AAAA"}}', '{"alg":"HS256","jku":"https://x.example/k"}',
        '{"alg":"HS256","x5c":["AAAA"],"x5u":"https://x.example"}', '{"alg":"HS256","n":NaN}', '{"alg":"HS256","n":1e400}', '{"alg":"HS256",}',
        '{"alg":"HS\\u0032\\u0035\\u0036"}', '{"alg":"HS256","\\ud800":1}', '{"alg":"HS256\\u0000"}', '{"alg":"HS256"}x', "", "{",
        '{"alg":"RS256"}', '{"alg":"HS256","deep":' + "[" * 300 + "]" * 300 + "}",
    ]
    for header in headers:
        record(f"header/{header[:60]}", token_of(header=header))
    for encoding in ("utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be", "latin-1"):
        record(f"header-encoding/{encoding}", token_of(header='{"alg":"HS256","x":"\u00e9"}'.encode(encoding)))
        record(f"payload-encoding/{encoding}", token_of(raw("name", '"\u00e9"').encode(encoding)))
    record("payload/encoded-surrogate", token_of(raw("name", '"\ud800"').encode("utf-8", "surrogatepass")))
    record("payload/overlong", token_of(raw("name", '"X"').encode().replace(b"X", b"\xc0\xaf")))
    for text in (
        raw("name", '"a\\u0000b"'), raw("\\u0065xp", str(NOW - 5)), raw("n", "1e16"), raw("n", "1e400"), raw("n", "-0"), raw("n", "-0.0"), raw("n", "1.10"),
        raw("n", "12345678901234567890"), raw("n", "[NaN,Infinity]"), raw("n", "01"), raw("n", "'x'"), raw("n", '"\n"'), raw("n", '"\\x"'), raw("n", '{"a":1,"a":2}'),
        raw("jti", '"again"')[:-1] + ',"jti":1}', raw("token_type", '"refresh"')[:-1] + ',"token_type":"access"}', " \n" + raw("n", "1") + "\t",
        raw("n", "1") + "x", raw("n", "1") + "\x00", "{}", "[]", "", "null", '"{}"', raw("n", "7" * 4300), raw("n", "7" * 4301),
        raw("n", "[" * 100 + "]" * 100), raw("n", "[" * 2500), raw("user_id", "null"), raw("user_id", "[]"), raw("", '"empty name"'), raw("null", "1"),
    ):
        record(f"payload/{text[-48:]}", token_of(text))

    for claim in ("sub", "jti", "token_type"):
        for value in ('""', '"access"', "1", "null", "[]", "true", '"\\ud800"', None):
            record(f"{claim}/{value}", token_of(raw(claim, value)))
    audiences = ['"a"', '"A"', '"ab"', '""', '["a"]', '["b","a"]', "[]", '[""]', '["a",1]', '["a",null]', '[["a"]]', "1", "null", "true", '{"a":1}', '"a "', None]
    for setting in ("a", "", ["a", "b"], [], ["c"]):
        for value in audiences:
            record(f"aud/{setting}/{value}", token_of(raw("aud", value)), {"AUDIENCE": setting})
    for setting in ("me", "", ["me", "you"]):
        for value in ('"me"', '"m"', '"me/"', '"ME"', '""', '["me"]', "1", "null", None):
            record(f"iss/{setting}/{value}", token_of(raw("iss", value)), {"ISSUER": setting})
    for kind in ("access", "refresh", "sliding", "untyped", "reset"):
        for token_class in ("AccessToken", "RefreshToken", "SlidingToken", "UntypedToken"):
            record(f"matrix/{kind}/{token_class}", token_of(raw("token_type", f'"{kind}"')), token_class=token_class)
    for settings in (
        {"JTI_CLAIM": None}, {"TOKEN_TYPE_CLAIM": None}, {"JTI_CLAIM": "tid"}, {"TOKEN_TYPE_CLAIM": "typ"}, {"JTI_CLAIM": None, "TOKEN_TYPE_CLAIM": None},
        {"TOKEN_TYPE_CLAIM": "user_id"}, {"JTI_CLAIM": "user_id"},
    ):
        for claim, value in (("x", "1"), ("jti", None), ("token_type", None), ("tid", '"t"'), ("typ", '"access"'), ("tid", "1")):
            record(f"names/{json.dumps(settings)}/{claim}={value}", token_of(raw(claim, value)), settings)
    for alg in HASHES:
        for other in HASHES:
            token = token_of(header=f'{{"alg":"{other}","typ":"JWT"}}', alg=other)
            record(f"alg/{other}-under-{alg}", token, {"ALGORITHM": alg})

    valid = token_of()
    head, body, tail = valid.split(b".")
    shapes = {
        "as-is": valid, "double-dot": head + b".." + body + b"." + tail, "five-parts": valid + b".AA.AA", "four": valid + b".AA", "json": b'{"payload":"' + body + b'"}',
        "no-signature": head + b"." + body + b".", "no-payload": head + b".." + tail, "no-header": b"." + body + b"." + tail, "dots": b"..", "space-inside": head + b". " + body + b"." + tail,
        "newline": head + b".\n" + body + b"." + tail, "nul": valid + b"\x00", "tab": b"\t" + valid, "utf8": valid + "\u00e9".encode(), "signature-twice": valid + tail,
        "signature-padded": valid + b"=" * (-len(tail) % 4), "header-padded": head + b"=" * (-len(head) % 4) + b"." + body + b"." + tail, "equals": valid + b"====", "equals-inside": head + b"." + body[:-2] + b"==" + body[-2:] + b"." + tail,
        "other-key": token_of(key="x" * 64), "empty-key": token_of(key=""),
    }
    for name, token in shapes.items():
        record(f"shape/{name}", token)
    for count in range(0, 4):
        for extra in range(0, 4):
            payload = raw("pad", json.dumps("x" * extra)).encode()
            record(f"padding/{extra}/{count}-signed", seal(b64(HEADER.encode()) + b"=" * 0, b64(payload) + b"=" * count))
            record(f"padding/{extra}/{count}-signature", token_of(payload) + b"=" * count)
    alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=.+/ "
    for number in range(60):
        token = bytearray(valid)
        place = random.randrange(len(token))
        match number % 3:
            case 0:
                token[place] = random.choice(alphabet)
            case 1:
                token.insert(place, random.choice(alphabet))
            case 2:
                del token[place]
        record(f"mutated/{number}", bytes(token))
    for number in range(60):
        payload = bytearray(raw("name", '"J\u00f6rg"').encode())
        for _ in range(random.choice([1, 1, 2, 3])):
            payload[random.randrange(len(payload))] = random.choice(b'{}[]",:\\09e-. \x00\xff\xc3a1')
        record(f"resigned/{number}", token_of(bytes(payload)))

    record("differs/over-8-kib", token_of(raw("x", json.dumps("y" * 7000))))
    record("differs/depth-950", token_of(raw("x", "[" * 950 + "]" * 950)))
    record("claims/iat-arabic-digits", token_of(raw("iat", '"\\u0661\\u0662"')))


def make_cases():
    made = [
        {}, {"AUDIENCE": "a"}, {"AUDIENCE": ["a", "b"], "ISSUER": "me"}, {"ISSUER": "https://m\u00e9"}, {"ALGORITHM": "HS384"}, {"ALGORITHM": "HS512"},
        {"JTI_CLAIM": "tid"}, {"TOKEN_TYPE_CLAIM": "typ"}, {"JTI_CLAIM": None}, {"TOKEN_TYPE_CLAIM": None}, {"JTI_CLAIM": None, "TOKEN_TYPE_CLAIM": None},
        {"ACCESS_TOKEN_LIFETIME": {"seconds": 90.75}, "REFRESH_TOKEN_LIFETIME": {"seconds": 3.5}}, {"SLIDING_TOKEN_REFRESH_EXP_CLAIM": "rexp"},
        {"SLIDING_TOKEN_LIFETIME": {"seconds": 7.25}, "SLIDING_TOKEN_REFRESH_LIFETIME": {"seconds": 60.8}},
    ]
    for settings in made:
        for now in (NOW, NOW + 0.25, NOW + 0.999999):
            ids = iter(range(1, 99))

            class Id:
                def __init__(self):
                    self.hex = f"{next(ids):032x}"

            with configured(settings, now), mock.patch.object(tokens, "uuid4", Id):
                refresh = tokens.RefreshToken()
                refresh["user_id"] = "1"
                refresh["name"] = "J\u00f6rg \U0001f600"
                steps = {"refresh": str(refresh), "access": str(refresh.access_token)}
                if settings.get("JTI_CLAIM", "") is not None and settings.get("TOKEN_TYPE_CLAIM", "") is not None:
                    later = now + 0.25
                    with mock.patch.object(tokens, "aware_utcnow", lambda: datetime.fromtimestamp(later, timezone.utc)):
                        again = tokens.RefreshToken(steps["refresh"])
                        steps["access-later"] = str(again.access_token)
                        again.set_jti()
                        again.set_exp()
                        again.set_iat()
                        steps["rotated-later"] = str(again)
                sliding = tokens.SlidingToken()
                sliding["user_id"] = "1"
                steps["sliding"] = str(sliding)
                sliding.current_time += timedelta(seconds=2)
                sliding.set_exp()
                sliding.set_iat()
                steps["sliding-renewed"] = str(sliding)
            print(json.dumps({"settings": settings, "now": now, "key": KEY, "steps": steps}))


{"read": read_cases, "make": make_cases}[sys.argv[1]]()
