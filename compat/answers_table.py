"""The requests of `test_answers.py`, one table.

A header value or body may hold placeholders, filled afresh for each server so that one server's
use of a token does not spoil the other's: `{{access:alice}}`, `{{refresh:bob}}`, `{{sliding:alice}}`,
`{{expired:access}}`, `{{drf:alice}}`, `{{basic:alice:password}}`, and what `test_answers.py` lists.
"""

import json
from dataclasses import dataclass, field

JSON = ("Content-Type", "application/json")
FORM = ("Content-Type", "application/x-www-form-urlencoded")

DRF, PAIR, REFRESH = "/api-token-auth/", "/api/token/", "/api/token/refresh/"
VERIFY, BLACKLIST = "/api/token/verify/", "/api/token/blacklist/"
SLIDING, SLIDING_REFRESH = "/api/token/sliding/", "/api/token/sliding/refresh/"
WHOAMI = "/api/whoami/"
LOGINS = (DRF, PAIR, SLIDING)
ALL_POST = {
    DRF: ("username", "password"), PAIR: ("username", "password"), SLIDING: ("username", "password"),
    REFRESH: ("refresh",), BLACKLIST: ("refresh",), VERIFY: ("token",), SLIDING_REFRESH: ("token",),
}  # fmt: skip

PROTECTED = (
    {"path": "/protected/jwt/", "authentication": ["jwt"]},
    {"path": "/protected/token/", "authentication": ["token"]},
    {"path": "/protected/basic/", "authentication": ["basic"], "methods": ["GET", "POST"]},
    {"path": "/protected/jwt-token/", "authentication": ["jwt", "token"]},
    {"path": "/protected/stateless/", "authentication": ["jwt_stateless"]},
    {"path": "/protected/admin/", "permission": "is_admin"},
    {"path": "/protected/open/", "permission": "allow_any", "methods": ["GET", "PUT", "DELETE"]},
    {"path": "/protected/none/", "authentication": []},
)


@dataclass(frozen=True)
class Case:
    """One request."""

    name: str
    method: str
    path: str
    headers: tuple = ()
    body: object = b""
    options: dict = field(default_factory=dict, hash=False)


def post(name, path, body, *headers, **options):
    """A POST; an object is sent as JSON, text and bytes as they are."""
    if isinstance(body, (dict, list)):
        body, headers = json.dumps(body, ensure_ascii=False), (JSON, *headers)
    return Case(name, "POST", path, headers, body, options)


def get(name, path, *headers, method="GET"):
    """A request without a body."""
    return Case(name, method, path, headers)


def who(name, authorization, path=WHOAMI, *headers):
    """A GET of a protected path with an Authorization header."""
    return Case(name, "GET", path, (("Authorization", authorization), *headers))


def logins():
    """Credentials, good and bad, at the three login views."""
    attempts = {
        "ok": {"username": "alice", "password": "correct horse"},
        "wrong": {"username": "alice", "password": "wrong"},
        "unknown": {"username": "nobody", "password": "correct horse"},
        "inactive": {"username": "bob", "password": "correct horse"},
        "unusable": {"username": "unusable", "password": "correct horse"},
        "unknown-algorithm": {"username": "unknown-algorithm", "password": "x"},
        "no-hash": {"username": "no-hash", "password": "x"},
        "broken-hash": {"username": "broken", "password": "x"},
        "md5-not-listed": {"username": "md5-user", "password": "correct horse"},
        "unicode": {"username": "café", "password": "größer"},
        "case": {"username": "Alice", "password": "correct horse"},
        "decomposed": {"username": "cafe\u0301", "password": "größer"},
        "numbers": {"username": 12345, "password": 67890},
        "float": {"username": 1e16, "password": 1.50},
        "trimmed-username": {"username": " \t\u00a0alice\u2003\n", "password": "correct horse"},
        "spaced-password": {"username": "spaced", "password": " spaced "},
        "trimmed-password": {"username": "alice", "password": " correct horse "},
        "extra-field": {"username": "alice", "password": "correct horse", "admin": True},
        "surrounding-password": {"username": "alice", "password": "correct horse\n"},
        "long": {"username": "a" * 5000, "password": "b" * 3000},
        "email": {"username": "alice@example.com", "password": "correct horse"},
    }
    for path in LOGINS:
        for name, body in attempts.items():
            yield post(f"login{path}{name}", path, body)


def fields():
    """Missing, null, blank and odd values in every field of every view."""
    odd = {
        "null": None, "blank": "", "space": " \u2003 ", "true": True, "list": ["a"], "object": {},
        "zero": 0, "negative": -1.5, "nul": "a\u0000b",
    }  # fmt: skip
    for path, names in ALL_POST.items():
        yield post(f"fields{path}none", path, {})
        for name, odd_value in odd.items():
            yield post(f"fields{path}{name}", path, dict.fromkeys(names, odd_value))
        surrogate = json.dumps(dict.fromkeys(names, "\ud800x\udfff")).encode()
        yield post(f"fields{path}surrogate", path, surrogate, JSON)
        both = json.dumps(dict.fromkeys(names, "\u0000\ud83d")).encode()
        yield post(f"fields{path}nul-and-surrogate", path, both, JSON)
    yield post("fields/only-username", PAIR, {"username": "alice"})
    yield post("fields/only-password", PAIR, {"password": "x"})
    yield post("fields/one-null-one-missing", DRF, {"username": None})


def bodies():
    """JSON that is none, forms, multipart, charsets, content types."""
    broken = {
        "empty": "", "space": "  \n ", "word": "nope", "open": "{", "comma": '{"username": "a",}',
        "colon": '{"username" "a"}', "single-quotes": "{'username': 'a'}", "extra": '{"a": 1} x',
        "two-objects": "{}{}", "list": "[]", "list-of": '[{"username": "a"}]', "string": '"a"',
        "int": "5", "float": "1.5", "true": "true", "null": "null", "nan": '{"a": NaN}',
        "infinity": '{"a": -Infinity}', "leading-zero": '{"a": 01}', "plus": '{"a": +1}',
        "unterminated": '{"a": "b', "control": '{"a": "b\x01"}', "newline": '{"a": "b\n"}',
        "escape": '{"a": "\\q"}', "unicode-escape": '{"a": "\\u12g4"}', "truncated-literal": '{"a": tru}',
        "trailing-comma-list": '{"a": [1,]}', "missing-value": '{"a": }', "second-line": '{\n "a": 1,\n x}',
        "comment": '{"a": 1} // c', "bom": "\ufeff{}", "minus": '{"a": -}', "exponent": '{"a": 1e}',
        "duplicate-keys": '{"username": "x", "username": "alice", "password": "correct horse"}',
        "huge-number": '{"username": 1e400, "password": 1}', "big-integer": '{"username": %s, "password": 1}' % ("9" * 60),
        "4301-digits": '{"a": %s}' % ("1" * 4301), "multibyte-position": '{"é": "ü", x}',
    }  # fmt: skip
    for path in (DRF, REFRESH):
        for name, text in broken.items():
            yield post(f"json{path}{name}", path, text.encode(), JSON)
        for name, data in {
            "bad-utf8": b'{"a": "\xff"}', "cut-utf8": b'{"a": "\xc3(', "cut-at-end": b'{"a": "x\xe2\x82',
        }.items():  # fmt: skip
            yield post(f"json{path}{name}", path, data, JSON)
    alice = "username=alice&password=correct+horse"
    forms = {
        "ok": alice, "percent": "username=%61lice&password=correct%20horse", "empty": "",
        "blank": "username=&password=", "last-wins": "username=x&" + alice, "semicolon": alice.replace("&", ";"),
        "bad-percent": "username=%zz&password=%", "bad-utf8": "username=%FF&password=x",
        "no-equals": "username&password", "plus-in-name": "user+name=a&password=b", "nul": "username=%00&password=x",
        "spaces": "username=+alice+&password=correct+horse", "utf8": "username=caf%C3%A9&password=gr%C3%B6%C3%9Fer",
    }  # fmt: skip
    for path in (DRF, PAIR):
        for name, text in forms.items():
            yield post(f"form{path}{name}", path, text, FORM)
        yield post(f"form{path}1000-fields", path, alice + "&a=1" * 998, FORM)
        yield post(f"form{path}1001-fields", path, alice + "&a=1" * 999, FORM)
        yield from multiparts(path)
    good = '{"username": "alice", "password": "correct horse"}'
    types = [
        "application/json; charset=utf-8", "APPLICATION/JSON", "application/json;", "application/json ; x=y",
        "text/plain", "application/xml", "text/json", "application/vnd.api+json", "*/*", "application/*", "text/*",
        "", "json", "application/json, text/plain", "application/json; charset=nonsense",
        "application/json; charset=iso-8859-1", "application/json; charset=utf-16", "application/json; charset=bz2_codec",
        "application/json; charset=\"utf-8\"", "application/" + "j" * 250, "multipart/mixed; boundary=x",
    ]  # fmt: skip
    for path in (DRF, PAIR):
        for content_type in types:
            yield post(f"type{path}{content_type[:40]}", path, good, ("Content-Type", content_type))
        yield post(f"type{path}absent", path, good)
        yield post(f"type{path}latin1-bytes", path, good, ("Content-Type", b"text/pl\xe4in"))
    yield post("charset/latin1-json", PAIR, '{"username": "café", "password": "größer"}'.encode("latin-1"),
               ("Content-Type", "application/json; charset=iso-8859-1"))  # fmt: skip
    yield post("charset/utf16-json", PAIR, good.encode("utf-16"),
               ("Content-Type", "application/json; charset=utf-16"))  # fmt: skip
    yield post("charset/latin1-form", DRF, "username=caf%E9&password=gr%F6%DFer",
               ("Content-Type", "application/x-www-form-urlencoded; charset=iso-8859-1"))  # fmt: skip
    yield post("no-body/json", PAIR, b"", JSON)
    yield post("no-body/unsupported-type", PAIR, b"", ("Content-Type", "text/plain"))
    yield post("no-body/no-type", PAIR, b"")
    limit = 2_621_440
    yield post("size/at-limit", PAIR, "username=" + "a" * (limit - 9), FORM)
    yield post("size/over-limit", PAIR, "username=" + "a" * (limit - 8), FORM)
    yield post("size/over-limit-json", PAIR, '{"username": "%s"}' % ("a" * limit), JSON)
    yield post("chunked/json", PAIR, good, JSON, chunked=True)
    yield post("chunked/empty", PAIR, b"", JSON, chunked=True)
    yield post("nested/deep", PAIR, '{"username": ' + "[" * 2000 + "]" * 2000 + "}", JSON)
    yield post("nested/some", PAIR, '{"username": ' + "[" * 50 + "]" * 50 + "}", JSON)


def multiparts(path):
    """multipart/form-data, whole and broken."""

    def part(name, text, extra=""):
        return f'--XbX\r\nContent-Disposition: form-data; name="{name}"{extra}\r\n\r\n{text}\r\n'

    whole = part("username", "alice") + part("password", "correct horse")
    bodies = {
        "ok": whole + "--XbX--\r\n", "no-close": whole, "one": part("username", "a") + "--XbX--\r\n",
        "file": part("username", "alice", '; filename="f.txt"') + part("password", "x") + "--XbX--\r\n",
        "repeated": part("username", "x") + whole + "--XbX--\r\n", "empty": "", "junk": "junk",
        "truncated": part("username", "alice") + '--XbX\r\nContent-Disposition: form-data; name="pass',
        "base64": '--XbX\r\nContent-Disposition: form-data; name="username"\r\n'
                  "Content-Transfer-Encoding: base64\r\n\r\nYWxpY2U=\r\n" + part("password", "correct horse") + "--XbX--\r\n",
        "preamble": "hello\r\n" + whole + "--XbX--\r\nbye",
    }  # fmt: skip
    kind = ("Content-Type", "multipart/form-data; boundary=XbX")
    for name, text in bodies.items():
        yield post(f"multipart{path}{name}", path, text, kind)
    yield post(f"multipart{path}no-boundary", path, "junk", ("Content-Type", "multipart/form-data"))
    quoted = ("Content-Type", 'multipart/form-data; boundary="XbX"')
    yield post(f"multipart{path}quoted-boundary", path, bodies["ok"], quoted)
    yield post(f"multipart{path}non-ascii", path, "junk", ("Content-Type", b"multipart/form-data; boundary=\xe9"))


def methods_and_paths():
    """Wrong methods, missing slashes, unknown paths, negotiation."""
    for path in (*ALL_POST, WHOAMI):
        for method in ("GET", "HEAD", "PUT", "PATCH", "DELETE", "TRACE", "BREW", "OPTIONS"):
            yield get(f"method{path}{method}", path, method=method)
        yield post(f"slash{path}post", path.rstrip("/"), {"username": "alice"})
        yield get(f"slash{path}get", path.rstrip("/") + "?a=1&b=%C3%A9", method="GET")
    yield get("slash/query-unescaped", "/api/token?x=<y>&z=a+b")
    yield get("slash/double", "//api/token/")
    for path in ("/", "/nothing", "/nothing/", "/api/", "/api/token/x/", "/API/TOKEN/", "/api/whoami/x"):
        yield get(f"missing{path}", path)
        yield post(f"missing{path}post", path, {"a": 1})
    accepts = [
        "*/*", "application/json", "application/*", "application/json; indent=4", "application/json; indent=99",
        "application/json; indent=0", "application/json; indent=x", "application/json; version=2",
        "application/json; charset=utf-8", "application/xml", "garbage", "", "text/plain, application/json;q=0.1",
        "APPLICATION/JSON", "application/xml, */*;q=0.1", "text/html;q=0.9, application/json;q=0.1", ",", " ",
        "application/json;indent=2, application/json",
    ]  # fmt: skip
    for accept in accepts:
        yield get(f"accept/whoami/{accept}", WHOAMI, ("Accept", accept))
        yield who(f"accept/whoami-in/{accept}", "{{auth-jwt:alice}}", WHOAMI, ("Accept", accept))
        yield post(f"accept/drf/{accept}", DRF, {}, ("Accept", accept))
    for accept in ("text/html", "*/*, text/html", "text/*"):
        yield get(f"html/whoami/{accept}", WHOAMI, ("Accept", accept))
        yield post(f"html/drf/{accept}", DRF, {}, ("Accept", accept))
    for query in ("format=json", "format=yaml", "format=", "format=JSON", "format=yaml&format=json", "x=1"):
        yield get(f"format/whoami/{query}", f"{WHOAMI}?{query}")
        yield post(f"format/pair/{query}", f"{PAIR}?{query}", {})
    yield get("format/and-accept", f"{WHOAMI}?format=json", ("Accept", "application/xml"))
    yield get("conditional/etag", WHOAMI, ("If-None-Match", "*"), ("Authorization", "{{auth-jwt:alice}}"))
    for path in ("/protected/basic/", "/protected/open/", "/protected/admin/", "/protected/none/"):
        for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
            yield get(f"protected{path}{method}", path, method=method)
            yield get(f"protected{path}{method}/in", path, ("Authorization", "{{basic:alice:correct horse}}"), method=method)


def authorization():
    """The Authorization header in every shape, at each kind of guard."""
    paths = [WHOAMI, *(entry["path"] for entry in PROTECTED)]
    values = {
        "drf": "Token {{drf:alice}}", "drf-lower": "token {{drf:alice}}", "drf-upper-key": "Token {{drf-upper:alice}}",
        "drf-inactive": "Token {{drf:bob}}", "drf-staff": "Token {{drf:carol}}", "drf-unknown": "Token " + "0" * 40,
        "drf-bare": "Token", "drf-bare-space": "Token ", "drf-three": "Token a b", "drf-latin1": b"Token \xe9t\xe9",
        "drf-utf8": "Token é".encode(), "drf-tab": "Token\t{{drf:alice}}", "drf-two-spaces": "Token  {{drf:alice}}",
        "drf-nbsp": b"Token\xa0abc", "drf-quoted": 'Token "{{drf:alice}}"', "drf-equals": "Token={{drf:alice}}",
        "drf-trailing-tab": "Token {{drf:alice}}\t", "drf-comma": "Token {{drf:alice}},",
        "basic": "Basic {{basic:alice:correct horse}}", "basic-lower": "basic {{basic:alice:correct horse}}",
        "basic-wrong": "Basic {{basic:alice:wrong}}", "basic-inactive": "Basic {{basic:bob:correct horse}}",
        "basic-unknown": "Basic {{basic:nobody:x}}", "basic-staff": "Basic {{basic:carol:correct horse}}",
        "basic-colons": "Basic {{basic:colon:a:b:c}}", "basic-bare": "Basic", "basic-three": "Basic a b",
        "basic-no-colon": "Basic YWxpY2U=", "basic-junk": "Basic !!!!", "basic-short": "Basic YQ",
        "basic-utf8": "Basic {{basic:café:größer}}", "basic-latin1": "Basic {{basic-latin1:café:größer}}",
        "basic-empty": "Basic Og==", "basic-nul": "Basic AGE6Yg==", "basic-spaced": "Basic {{basic:spaced: spaced }}",
        "basic-latin1-byte": b"Basic \xe9", "basic-padding-data": "Basic {{basic:alice:correct horse}}QUJD",
        "basic-urlsafe": "Basic {{basic-junk:alice:correct horse}}",
        "bearer": "Bearer {{access:alice}}", "bearer-lower": "bearer {{access:alice}}", "bearer-bare": "Bearer",
        "bearer-three": "Bearer a b", "bearer-junk": "Bearer a.b.c", "bearer-one-word-token": "Bearer abc",
        "bearer-inactive": "Bearer {{access:bob}}", "bearer-staff": "Bearer {{access:carol}}",
        "bearer-expired": "Bearer {{expired:access}}", "bearer-refresh": "Bearer {{refresh:alice}}",
        "bearer-sliding": "Bearer {{sliding:alice}}", "bearer-tab": "Bearer\t{{access:alice}}",
        "bearer-latin1": b"Bearer \xe9", "bearer-other-key": "Bearer {{otherkey:access}}",
        "bearer-none": "Bearer {{alg-none:access}}", "bearer-no-user": "Bearer {{nouser:access}}",
        "bearer-ghost": "Bearer {{ghost:access}}", "bearer-revoked-claim": "Bearer {{badrevoke:access}}",
        "bearer-good-claim": "Bearer {{goodrevoke:access}}", "bearer-int-id": "Bearer {{intid:access}}",
        "bearer-huge-id": "Bearer {{hugeid:access}}", "bearer-vast-id": "Bearer {{vastid:access}}",
        "bearer-long-jti": "Bearer {{longjti:access}}", "bearer-nul-jti": "Bearer {{nuljti:access}}",
        "bearer-odd-id": "Bearer {{oddid:access}}", "bearer-null-id": "Bearer {{nullid:access}}", "bearer-no-jti": "Bearer {{nojti:access}}",
        "bearer-no-type": "Bearer {{notype:access}}", "bearer-no-exp": "Bearer {{noexp:access}}",
        "bearer-future-iat": "Bearer {{futureiat:access}}", "bearer-nbf": "Bearer {{nbf:access}}",
        "bearer-just-expired": "Bearer {{justexpired:access}}", "bearer-aud": "Bearer {{otheraud:access}}",
        "bearer-iss": "Bearer {{otheriss:access}}", "bearer-crit": "Bearer {{crit:access}}",
        "bearer-kid": "Bearer {{kid:access}}", "bearer-hs384": "Bearer {{hs384:access}}",
        "bearer-claims": "Bearer {{custom:access}}", "bearer-not-object": "Bearer {{notobject:access}}",
        "bearer-float-exp": "Bearer {{floatexp:access}}", "bearer-string-jti": "Bearer {{emptyjti:access}}",
        "bearer-int-jti": "Bearer {{intjti:access}}", "bearer-int-sub": "Bearer {{intsub:access}}",
        "jwt-word": "JWT {{access:alice}}", "empty": "", "space": " ", "unknown-scheme": "Digest abc",
        "comma": "Bearer {{access:alice}}, Token x", "configured": "{{auth-jwt:alice}}",
    }  # fmt: skip
    for path in paths:
        for name, text in values.items():
            yield who(f"auth{path}{name}", text, path)
        yield get(f"auth{path}none", path)
        two = (("Authorization", "Token {{drf:alice}}"), ("Authorization", "{{auth-jwt:alice}}"))
        yield Case(f"auth{path}duplicate", "GET", path, two)
        yield Case(f"auth{path}x-access-token", "GET", path, (("X-Access-Token", "Bearer {{access:alice}}"),))
    for path in ALL_POST:
        for name in ("drf", "drf-unknown", "drf-bare", "basic-wrong", "bearer-junk", "bearer", "unknown-scheme"):
            header = ("Authorization", values[name])
            yield post(f"login-with-header{path}{name}", path, {"username": "alice", "password": "correct horse"}, header)


def token_views():
    """Tokens of every state at refresh, verify, blacklist and sliding refresh."""
    states = [
        "access:alice", "refresh:alice", "sliding:alice", "refresh:bob", "sliding:bob", "expired:refresh",
        "expired:sliding", "expired:access", "otherkey:refresh", "alg-none:refresh", "nouser:refresh", "nouser:sliding",
        "nojti:access", "notype:refresh", "noexp:refresh", "futureiat:refresh", "nbf:refresh",
        "justexpired:refresh", "justexpired:sliding", "otheraud:refresh", "otheriss:refresh", "crit:refresh", "kid:refresh",
        "hs384:refresh", "custom:refresh", "custom:sliding", "intid:refresh", "intid:sliding", "nullid:refresh",
        "badrevoke:refresh", "goodrevoke:refresh", "norefreshexp:sliding", "oldrefreshexp:sliding", "blacklisted:refresh",
        "blacklisted:sliding", "recorded:refresh", "recorded:sliding", "floatexp:refresh", "emptyjti:access",
        "intjti:refresh", "intsub:refresh", "notobject:refresh", "wrongtype:refresh", "ghost:sliding", "ghost:access",
        "hugeid:access", "vastid:access", "hugeid:sliding", "vastid:sliding", "longjti:access", "nuljti:access",
        "hugeid:refresh", "vastid:refresh", "longjti:refresh", "longjti:sliding", "nuljti:refresh", "nuljti:sliding",
        "ghost:refresh", "oddid:refresh", "nojti:refresh", "nojti:sliding", "stringexp:refresh", "hugeexp:refresh",
    ]  # fmt: skip
    for path, name in ((REFRESH, "refresh"), (VERIFY, "token"), (BLACKLIST, "refresh"), (SLIDING_REFRESH, "token")):
        for state in states:
            yield post(f"token{path}{state}", path, {name: "{{%s}}" % state})
        yield post(f"token{path}twice-blacklisted", path, {name: "{{blacklisted:refresh}}"})
        yield post(f"token{path}trimmed", path, {name: " {{refresh:alice}}\n"})
        for junk in ("x", "a.b", "a.b.c", "a.b.c.d", "...", "é.é.é", "eyJhbGciOiJIUzI1NiJ9..", 5, 1.5):
            yield post(f"token{path}junk-{junk}", path, {name: junk})
        yield post(f"token{path}form", path, "%s={{refresh:alice}}" % name, FORM)


CREDENTIALS = [*logins(), *authorization(), *token_views()]
TABLE = [*CREDENTIALS, *fields(), *bodies(), *methods_and_paths()]
assert len({case.name for case in TABLE}) == len(TABLE), "two cases share a name"
