"""One key pair for each algorithm that has pairs, as SimpleJWT's settings."""

from functools import cache

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

CURVES = {"ES256": ec.SECP256R1, "ES256K": ec.SECP256K1, "ES384": ec.SECP384R1, "ES512": ec.SECP521R1}
CURVES["ES521"] = CURVES["ES512"]
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", *CURVES, "EdDSA")


@cache
def _rsa():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def private_key(algorithm):
    """A new key; RSA's is made once, as that takes long."""
    if algorithm in CURVES:
        return ec.generate_private_key(CURVES[algorithm]())
    return ed25519.Ed25519PrivateKey.generate() if algorithm == "EdDSA" else _rsa()


def settings(algorithm):
    """ALGORITHM, SIGNING_KEY and VERIFYING_KEY around a key."""
    key = private_key(algorithm)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return {"ALGORITHM": algorithm, "SIGNING_KEY": private.decode(), "VERIFYING_KEY": public.decode()}
