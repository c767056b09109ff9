"""Key pairs: tokens of every algorithm go both ways between Countersign and PyJWT, and from one Django to the other with SimpleJWT."""

import jwt
import pytest
from conftest import PASSWORD
from harness import keypairs, tokens
from harness.choice import Choice
from harness.servers import Countersign


@pytest.mark.parametrize("algorithm", keypairs.ALGORITHMS)
def test_every_algorithm_goes_both_ways(new_database, algorithm):
    """What Countersign signs PyJWT verifies, what PyJWT signs Countersign verifies, and neither takes what another key signed."""
    choice = Choice(simple_jwt=keypairs.settings(algorithm))
    made = new_database()
    try:
        with Countersign(choice, made) as server:
            pair = server.post("/api/token/", {"username": "alice", "password": PASSWORD}).json()
            for token in pair.values():
                claims = jwt.decode(token, choice.simple_jwt["VERIFYING_KEY"], algorithms=[algorithm])
                assert claims == tokens.claims(token)
                assert tokens.parts(token)[0] == f'{{"alg":"{algorithm}","typ":"JWT"}}'
            user = tokens.claims(pair["access"])["user_id"]
            theirs = tokens.mint("access", user, choice)
            assert server.whoami(f"Bearer {theirs}").json()["username"] == "alice"
            if keypairs.private_key(algorithm) is not keypairs.private_key(algorithm):
                forged = tokens.mint("access", user, choice, key=keypairs.settings(algorithm)["SIGNING_KEY"])
                assert server.whoami(f"Bearer {forged}").status == 401
            # The oldest of forgeries: the public key as a shared secret (CVE-2022-29217), which PyJWT itself refuses to make.
            header, payload, _ = theirs.split(".")
            assert server.whoami(f"Bearer {hmac_forgery(payload, choice.simple_jwt['VERIFYING_KEY'])}").status == 401
            assert server.whoami(f"Bearer {header}.{payload}.").status == 401
            ok = server.post("/api/token/refresh/", {"refresh": tokens.mint("refresh", user, choice)})
            assert ok.status == 200, ok.text
    finally:
        made.drop()


def hmac_forgery(payload, key):
    """A token whose tag is HMAC-SHA256 under the text of a public key."""
    import base64
    import hashlib
    import hmac

    signed = base64.urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT"}').rstrip(b"=") + b"." + payload.encode()
    tag = hmac.digest(key.encode(), signed, hashlib.sha256)
    return (signed + b"." + base64.urlsafe_b64encode(tag).rstrip(b"=")).decode()
