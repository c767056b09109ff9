"""Stored passwords: Countersign's verdict against Django's `verify_password`."""

import base64
import random
import re
import struct

from django.contrib.auth.hashers import (
    Argon2PasswordHasher,
    BCryptPasswordHasher,
    BCryptSHA256PasswordHasher,
    MD5PasswordHasher,
    PBKDF2SHA1PasswordHasher,
    ScryptPasswordHasher,
    verify_password,
)

from .bytesplay import change
from .engine import BATCH, Rule
from .hashers import QuickHasher

SETTINGS = {"hashers": ["pbkdf2_sha256", "pbkdf2_sha1", "argon2", "bcrypt_sha256", "bcrypt", "scrypt", "md5"], "iterations": 1}
PASSWORDS = ["sesame", "", "p\u00e4ssw\u00f6rd", "x" * 72, "x" * 73, " sesame ", "a\x00b", "\U0001f511", "x" * 300]
ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/.$=,-_! \n\x00\xc3\xa9"
SALT = "abcdefghijklmnopqrstuv"


def encoded():
    """Every password under every hasher, with little work."""
    argon2, scrypt = Argon2PasswordHasher(), ScryptPasswordHasher()
    argon2.time_cost, argon2.memory_cost, argon2.parallelism = 1, 16, 1
    for password in PASSWORDS:
        for hasher, options in (
            (QuickHasher(), {"iterations": 1}), (QuickHasher(), {"iterations": 12}), (PBKDF2SHA1PasswordHasher(), {"iterations": 3}), (MD5PasswordHasher(), {}),
        ):  # fmt: skip
            for salt in (SALT, "short", "s\u00e4lt"):
                yield password, hasher.encode(password, salt, **options)
        yield password, argon2.encode(password, SALT)
        yield password, scrypt.encode(password, SALT, 16, 1, 1)
        for hasher in (BCryptPasswordHasher(), BCryptSHA256PasswordHasher()):
            hasher.rounds = 4
            if len(password.encode()) <= 72 or hasher.algorithm == "bcrypt_sha256":
                yield password, hasher.encode(password, b"$2b$%02d$abcdefghijklmnopqrstuu" % hasher.rounds)  # not by chance, as its own would be


MADE = list(encoded())
ODD = [
    "", "!", "!" + "x" * 40, "plain", "md5$$8fe4c11451281c094a6578e6ddbf5eed", "8fe4c11451281c094a6578e6ddbf5eed", "sha1$$da39a3ee5e6b4b0d3255bfef95601890afd80709",
    "pbkdf2_sha256", "pbkdf2_sha256$", "pbkdf2_sha256$1$", "pbkdf2_sha256$1$$", "pbkdf2_sha256$-1$a$b", "pbkdf2_sha256$+1$abc$b", "pbkdf2_sha256$1_0$abc$b", "pbkdf2_sha256$ 1$abc$b",
    "argon2$argon2id$v=18$m=16,t=1,p=1$c2FsdHNhbHQ$" + "A" * 43, "argon2$argon2i$m=16,t=1,p=1$c2FsdHNhbHQ$" + "A" * 43, "unknown$x$y", "crypt$$x", "bcrypt$$2b$04$", "scrypt$15$salt$1$1$AA==",
]  # fmt: skip


def generate(number):
    rng = random.Random(number)
    return SETTINGS, [make(rng) for _ in range(BATCH)]


def make(rng):
    while True:
        password, text = rng.choice(MADE)
        draw = rng.random()
        if draw < 0.1:
            text = rng.choice(ODD)
        elif draw < 0.3:
            text = change_field(rng, text)
        elif draw < 0.85:
            for _ in range(rng.choice([1, 1, 1, 2, 3])):
                text = change(rng, text.encode(), ALPHABET).decode("utf-8", "replace")
        if rng.random() < 0.25:
            password = rng.choice(PASSWORDS + [password + "x", password[:-1], password.upper()])
        if is_cheap(text):
            return pack(password, text)


def change_field(rng, text):
    fields = text.split("$")
    place = rng.randrange(len(fields))
    field = fields[place]
    fields[place] = rng.choice(
        [
            "", field + "=", field.rstrip("="), " " + field, field + "\n", "0" + field, "+" + field, field.upper(), field.replace("=", ""), field[:-1], field[::-1], field + "$",
            "1", "2", "16", "04", base64.b64encode(b"x" * rng.choice([16, 20, 32, 64])).decode(), "v=18", "v=16", "m=8,t=1,p=1", "m=16,t=2,p=1", "m=16,p=1,t=1",
            "argon2i", "argon2d", "argon2id", "2a", "2b", "2x", "2y", "05",
        ]
    )  # fmt: skip
    if rng.randrange(10) == 0:
        rng.shuffle(fields)
    return "$".join(fields)


def is_cheap(text):
    """Whether the original would not work on it for long."""
    if re.search(r"[0-9_]{4,}", text) and not text.startswith(("md5", "!")):
        numbers = [int(number.replace("_", "") or 0) for number in re.findall(r"[0-9][0-9_]*", text.partition("$")[2][:24])]
        if any(number > 3000 for number in numbers):
            return False
    costs = re.findall(r"\$2[a-z]?\$0?([0-9]+)\$", text)
    if any(int(cost) > 6 for cost in costs):
        return False
    if text.startswith("argon2"):
        return all(int(n) <= 256 for n in re.findall(r"[mtp]=([0-9]{1,12})", text))
    if text.startswith("scrypt"):
        numbers = [int(field) for field in text.split("$") if re.fullmatch(r"[0-9]{1,6}", field)]
        product = 1
        for number in numbers:
            product *= max(1, number)
        return product <= 100_000
    return True


def pack(password, text):
    password = password.encode("utf-8", "replace")
    return struct.pack("<I", len(password)) + password + text.encode("utf-8", "replace")


def unpack(case):
    length = struct.unpack("<I", case[:4])[0]
    return case[4 : 4 + length].decode(), case[4 + length :].decode()


def original(_, case):
    password, text = unpack(case)
    try:
        correct, update = verify_password(password, text, "default")
    except Exception as error:
        return f"C{type(error).__name__}: {error}"[:200]
    return f"1{int(update)}" if correct else "0"


def agree(ours, theirs):
    # Whether a text is to be replaced counts where the password is right.
    return ours[:2] == theirs if theirs.startswith("1") else ours[:1] == theirs


def accepts(verdict):
    return verdict.startswith("1")


def gains(ours, theirs):
    return accepts(ours)


RULES = [
    Rule("stored hash of a known algorithm, broken fields", lambda _, case, ours, theirs: theirs.startswith("C")),
    Rule("`argon2` strings with `v=18`", lambda _, case, ours, theirs: "v=18" in unpack(case)[1] and unpack(case)[1].startswith("argon2$")),
]
