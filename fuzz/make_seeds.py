"""Makes the seeds of the fuzz targets from the recorded cases of testdata/ and a few texts of its own.

    python3 fuzz/make_seeds.py

Each target gets at most LIMIT files; a file's name is the beginning of its digest, so that the same
seed keeps its name.
"""

import base64
import hashlib
import json
import pathlib
import shutil

ROOT = pathlib.Path(__file__).resolve().parent.parent
LIMIT = 48
NOW = "{NOW}"
ACUTE = "\u00e9"


def recorded(name):
    with open(ROOT / "testdata/compat" / name, encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def spread(items):
    """At most LIMIT of the items: the last, which are written by hand, and others from all over."""
    items = list(dict.fromkeys(items))
    items, last = items[:-16], items[-16:]
    count = min(LIMIT - len(last), len(items))
    step = len(items) / max(1, count)
    return [items[int(place * step)] for place in range(count)] + last


def part(text):
    """The bytes of one part of a token, or nothing."""
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        return b""


def authorization():
    for line in recorded("exchanges.jsonl"):
        for name, value in line["request"].get("headers", {}).items():
            if name.lower() == "authorization":
                yield value.encode("latin-1")
    for text in ("Token {KEY}", "token\t{KEY}", "Token {KNOX}", "Bearer {JWT}", "Basic {BASIC}", "Token {KEY}\nToken {KEY}"):
        yield text.encode()


def jwt():
    for line in [*recorded("tokens.jsonl"), *recorded("more_tokens.jsonl")]:
        token = line["token"]
        if len(token) > 3000:
            continue
        yield b"t" + token.encode("utf-8", "surrogatepass")
        parts = token.split(".")
        if len(parts) == 3:
            payload = part(parts[1]).replace(b"1750000000", NOW.encode()).replace(b"\n", b" ")
            yield b"r" + part(parts[0]).replace(b"\n", b" ") + b"\n" + payload
    yield b"t{JWT}"


def key():
    texts = {path.name: path.read_text() for path in sorted((ROOT / "testdata/keys").iterdir()) if path.name != "README.md"}
    yield from (text.encode() for text in texts.values())
    keys = [json.loads(text) for name, text in texts.items() if name.endswith(".public.jwk.json")]
    secret = {"kty": "oct", "alg": "HS256", "k": base64.urlsafe_b64encode(bytes(range(48))).decode()}
    for number, one in enumerate(keys):
        yield json.dumps({"keys": [{**one, "kid": str(number), "use": "sig"}, keys[number - 1]]}).encode()
    for one in (secret, {**secret, "k": "AAAA"}, {"keys": [secret]}, {"keys": [secret, keys[0]]}, {"keys": []}):
        yield json.dumps(one).encode()


def password():
    for line in recorded("passwords.jsonl"):
        yield line["encoded"].encode("utf-8", "surrogatepass")
    salt = "abcdefghijklmnopqrstuv"
    for name, digest in (("sha256", 1), ("sha1", 2)):
        made = base64.b64encode(hashlib.pbkdf2_hmac(name, b"sesame", salt.encode(), digest)).decode()
        yield f"pbkdf2_{name}${digest}${salt}${made}".encode()
    yield f"md5${salt}${hashlib.md5((salt + 'sesame').encode()).hexdigest()}".encode()
    made = base64.b64encode(hashlib.scrypt(b"sesame", salt=salt.encode(), n=16, r=1, p=1)).decode()
    yield f"scrypt$16${salt}$1$1${made}".encode()


def json_texts():
    for line in recorded("json_cases.jsonl"):
        if line.get("text") is not None:
            yield line["text"].encode("utf-8", "surrogatepass")


def body():
    # A parameter of the media type that is too long for a view of Django's.
    yield b"application/x-www-form-urlencoded; charset" + b"a" * 300 + b"=cp866\nusername=x&password=%80"
    for line in recorded("body_cases.jsonl"):
        content = base64.b64decode(line["body_b64"]) if "body_b64" in line else line["body"].encode("utf-8", "surrogatepass")
        if len(content) < 3000:
            yield (line["type"] or "").encode("latin-1", "replace") + b"\n" + content


def negotiation():
    for line in recorded("negotiation_cases.jsonl"):
        yield ((line["accept"] or "") + "\n" + line["query"]).encode("utf-8", "surrogatepass")[:3000]


def config():
    text = (ROOT / "docs/settings.md").read_text(encoding="utf-8")
    for block in text.split("```")[1::2]:
        kind, _, content = block.partition("\n")
        if kind == "toml":
            yield content.encode()
    for text in (
        "[simple_jwt]\naccess_token_lifetime = \"5m\"\nrotate_refresh_tokens = true\nblacklist_after_rotation = true\n",
        "[simple_jwt]\nalgorithm = \"HS512\"\nleeway = 10\naudience = [\"a\", \"b\"]\nissuer = \"me\"\nstrict = true\n",
        "[simple_jwt]\nacess_token_lifetime = 5\n",
        "[[protected]]\npath = \"/reports/\"\nauthentication = [\"jwt\", { kind = \"token\", keyword = \"Bearer\" }]\npermission = \"is_admin\"\n",
        "[[protected]]\npath = \"/hello/\"\npermission = \"allow_any\"\nresponse = { content_type = \"text/plain\", body = \"hi\" }\n",
        "[auth]\npassword_hashers = [\"argon2\", \"pbkdf2_sha256\"]\n",
        "[paths]\nwhoami = \"/me\"\ntoken_verify = \"\"\n",
        "trusted_proxies = [\"10.0.0.0/8\", \"::1\"]\nbind = \"127.0.0.1:0\"\n",
        "[limits]\nheader_timeout = \"200ms\"\nmax_connections = 5\n",
        "[users]\nusername = \"email\"\nusername_field = \"mail_address\"\n",
        "[sessions]\nenabled = true\nrefresh_window = \"0s\"\nidle_lifetime = \"1h\"\n",
        "SIMPLE_JWT = {}\n",
        "",
    ):
        yield text.encode()


def cookie():
    for header in (
        "csrftoken=a", "sessionid=b; csrftoken=a", " csrftoken = a ;x=y", "csrftoken=a; csrftoken=b", "csrftoken=a=b", "csrftoken=",
        'csrftoken="a\\"b\\073"', 'csrftoken="a', 'csrftoken="', "Csrftoken=a", "csrftoken", "", 'csrftoken="\\\\\\101\\777"',
    ):
        yield b"csrftoken\n" + header.encode()
        yield b"sessionid\n" + header.encode()


def forwarded():
    for lines in (
        "example.com\n192.0.2.1", "example.com\n203.0.113.7, 192.0.2.1, 10.0.0.3", "example.com:8000\nhttps", "example.com\n192.0.2.1:4711",
        "example.com\n[2001:db8::1]:4711", "example.com\nunknown", "example.com\n_hidden, 10.0.0.1", "example.com\n203.0.113.7\n192.0.2.1",
        "example.com\nhttps, http", "example.com", "\n", "example.com\n::ffff:10.0.0.1", "example.com\n192.0.2.1,",
    ):
        yield lines.encode()


def session():
    data = '{"_auth_user_id":"1","_auth_user_backend":"django.contrib.auth.backends.ModelBackend","_auth_user_hash":"h","_csrftoken":"c"}'
    for kind in "szr":
        yield kind.encode() + data.encode()
    for text in ("s{SESSION}", "s.{SESSION}", "se30:1uQmLA:x", "r{}", "r[]", "r{\"_auth_user_id\":1}", "z" + "0" * 500, "r\u00e9"):
        yield text.encode()


def csrf():
    c, d = "c" * 32, "d" * 32
    for text in (f"{c}\n{c}", f"{c}\n{d}", f"{c}\n{'b' * 32}{d}", f"{c}{d}\n{d}{c}", "short\n", f"{'-' * 32}\n{c}", f"{ACUTE * 32}\n{c}"):
        yield text.encode()


def knox():
    yield b"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
    for text in ("", "knox_ababab", "\u00e9" * 20, "\U0001f600" * 16, "0" * 14, "0" * 15, "0" * 16):
        yield text.encode()


def database_url():
    for text in (
        "sqlite:////var/lib/app/db.sqlite3", "sqlite:///db.sqlite3", "sqlite::memory:", ":memory:", "data/db.sqlite3", "sqlite:///a%20b?x=1",
        "postgresql://user:{PASSWORD}@host:5432/name?sslmode=verify-full", "postgres://user:{PASSWORD}@h1:1,h2:2/name", "mysql://u:{PASSWORD}@h/n",
        "postgresql://user:{PASSWORD}@[::1]/name?options=-csearch_path%3Dx", "postgresql:///name?host=/run&password={PASSWORD}", "psql://u@/n",
        "host=db user=u password={PASSWORD} dbname=n", "postgresql://u:{PASSWORD}?x@h/n", "postgresql://u:{PASSWORD}#@h/n", "postgis://u:{PASSWORD}%40@h/n",
        "postgresql:///name?host=/po@stgres:5432//Run&password={PASSWORD}", "postgresql://u:p@{PASSWORD}@h/n", "postgresql://u:5?host=x@{PASSWORD}/n",
        "postgresql://h/n%3Fpassword%3D{PASSWORD}", "postgresql://u:5/{PASSWORD}@h/n", "u:{PASSWORD}@h/n", "postgres://h/n?host=/run;password={PASSWORD}",
    ):
        yield text.encode()


TARGETS = {
    "authorization": authorization, "jwt": jwt, "key": key, "password": password, "json": json_texts, "body": body, "negotiation": negotiation,
    "config": config, "cookie": cookie, "forwarded": forwarded, "session": session, "csrf": csrf, "knox": knox, "database_url": database_url,
}  # fmt: skip

for name, make in TARGETS.items():
    folder = ROOT / "fuzz/seeds" / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for content in spread(make()):
        (folder / hashlib.sha256(content).hexdigest()[:16]).write_bytes(content)
