"""Mints JWTs as a client that knows the key could, and reads them apart."""

import base64
import json
import re
import time
import uuid
from datetime import UTC, datetime

import jwt

from .choice import SECRET_KEY


def parts(token):
    """Header text and payload text of a JWT, exactly as signed."""
    header, payload, _ = token.split(".")
    return tuple(
        base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)).decode() for part in (header, payload)
    )


def claims(token):
    """Payload of a JWT; the signature is not looked at."""
    return json.loads(parts(token)[1])


def instant(seconds):
    """A whole second of Unix time as Django writes it into a database."""
    return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None).isoformat(" ")


def mint(kind, user, choice=None, /, drop=(), lifetime=300, key=None, algorithm=None, **changes):
    """A token of a kind ("access", "refresh", "sliding") for a user id, fresh jti, under a choice's settings.

    `changes` sets claims, `drop` removes them.
    """
    simple_jwt = choice.simple_jwt if choice else {}
    now = int(time.time())
    payload = {
        simple_jwt.get("TOKEN_TYPE_CLAIM", "token_type"): kind,
        "exp": now + lifetime,
        "iat": now,
        simple_jwt.get("JTI_CLAIM", "jti"): uuid.uuid4().hex,
    }
    payload.pop(None, None)  # SimpleJWT's None switches a claim off
    if kind == "sliding":
        payload["refresh_exp"] = now + 86400
    payload[simple_jwt.get("USER_ID_CLAIM", "user_id")] = str(user)
    if "AUDIENCE" in simple_jwt:
        payload["aud"] = simple_jwt["AUDIENCE"]
    if "ISSUER" in simple_jwt:
        payload["iss"] = simple_jwt["ISSUER"]
    payload.update(changes)
    for name in drop:
        payload.pop(name, None)
    if key is None:
        key = simple_jwt.get("SIGNING_KEY", choice.secret_key if choice else SECRET_KEY)
    return sign(payload, key, algorithm or simple_jwt.get("ALGORITHM", "HS256"))


def sign(payload, key=SECRET_KEY, algorithm="HS256", header=None):
    """A JWS over a dictionary or over raw bytes, with the key taken as it is."""
    data = payload if isinstance(payload, bytes) else json.dumps(payload, separators=(",", ":")).encode()
    return jwt.api_jws.encode(data, key, algorithm=algorithm, headers=header)


def shape(token, lifetimes=True):
    """What must be equal between two tokens minted alike at different moments.

    Header text as it is; payload text with jti as `<hex32>`, iat as `<now>` and every other
    instant as its distance from iat.
    """
    header, payload = parts(token)
    content = json.loads(payload)
    now = content.get("iat")
    for name, entry in content.items():
        if isinstance(entry, str) and re.fullmatch(r"(?:[0-9a-f]{32})+\0?", entry):
            content[name] = f"<hex{len(entry)}>"
        elif name == "iat":
            content[name] = "<now>"
        elif name in ("exp", "refresh_exp") and isinstance(entry, int) and isinstance(now, int):
            content[name] = f"<now + {entry - now}>" if lifetimes else "<instant>"
    compact = json.dumps(json.loads(payload), separators=(",", ":")) == payload
    return header + json.dumps(content, separators=(",", ":")) + ("" if compact else " not compact ASCII")
