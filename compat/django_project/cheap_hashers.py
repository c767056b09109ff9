"""Django's hashers with the work factors the test chose, under Django's own algorithm names.

The JSON key is the algorithm name; a missing one leaves Django's own default in force.
"""

from django.conf import settings
from django.contrib.auth import hashers

WORK = settings.CHOICE["work"] if hasattr(settings, "CHOICE") else {}


def with_work(name, base):
    """A subclass of `base` whose work attributes are the test's."""
    return type(name, (base,), dict(WORK.get(name, {})))


pbkdf2_sha256 = with_work("pbkdf2_sha256", hashers.PBKDF2PasswordHasher)
pbkdf2_sha1 = with_work("pbkdf2_sha1", hashers.PBKDF2SHA1PasswordHasher)
argon2 = with_work("argon2", hashers.Argon2PasswordHasher)
bcrypt_sha256 = with_work("bcrypt_sha256", hashers.BCryptSHA256PasswordHasher)
bcrypt = with_work("bcrypt", hashers.BCryptPasswordHasher)
scrypt = with_work("scrypt", hashers.ScryptPasswordHasher)
md5 = with_work("md5", hashers.MD5PasswordHasher)
