"""Django's own hashers, inside the test process, with cheap work factors."""

import sys

from .choice import ALL_HASHERS, CHEAP_WORK
from .servers import PROJECT


def _configure():
    from django.conf import settings

    if not settings.configured:
        sys.path.insert(0, str(PROJECT))
        settings.configure(
            CHOICE={"work": CHEAP_WORK},
            PASSWORD_HASHERS=[f"cheap_hashers.{name}" for name in ALL_HASHERS],
            USE_TZ=True,
        )


def made_by_django(password, hasher="pbkdf2_sha256", **work):
    """A hash as Django stores it; `work` overrides the cheap factors."""
    _configure()
    from django.contrib.auth.hashers import get_hasher

    instance = type(get_hasher(hasher))()
    for name, number in work.items():
        setattr(instance, name, number)
    return instance.encode(password, instance.salt())


def accepted_by_django(password, encoded):
    """Django's `check_password`, without its upgrade."""
    _configure()
    from django.contrib.auth.hashers import check_password

    return check_password(password, encoded)
