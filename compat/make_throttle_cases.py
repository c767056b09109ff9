"""Asks DRF's throttles about random requests, under a clock that is set: what `testdata/compat/throttles.json` holds.

    target/compat-venv/bin/python compat/make_throttle_cases.py > testdata/compat/throttles.json

Each case is a view with its throttles, and requests in turn: when (seconds since 1970, in quarters, so that floating point is
exact), the user's number or null, X-Forwarded-For or null; and what DRF answered: status, Retry-After and body.
"""

import json
import random

import django
from django.conf import settings

PREFIX = "rest_framework.throttling."
NOBODY = {"UNAUTHENTICATED_USER": None, "UNAUTHENTICATED_TOKEN": None}
settings.configure(REST_FRAMEWORK=NOBODY, CACHES={"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}})
django.setup()

from django.core.cache import cache  # noqa: E402
from django.test import override_settings  # noqa: E402
from django.utils.module_loading import import_string  # noqa: E402
from rest_framework import __version__, throttling  # noqa: E402
from rest_framework.response import Response  # noqa: E402
from rest_framework.settings import api_settings  # noqa: E402
from rest_framework.test import APIRequestFactory, force_authenticate  # noqa: E402
from rest_framework.views import APIView  # noqa: E402

FORWARDED = (None, "1.1.1.1", "1.1.1.1, 2.2.2.2", "2.2.2.2 ,1.1.1.1", " 1.1.1.1 ,3.3.3.3,2.2.2.2 ", "1.1.1.1,,", "")
NUMBERS = ("0", "1", "2", "3", "-1", " 2 ", "+3", "1_0")
PERIODS = ("s", "sec", "m", "min", "minute-ish", "h", "hour", "d", "day")


class User:
    """Somebody with a number."""

    is_authenticated = True

    def __init__(self, pk):
        self.pk = pk


def view(classes, scope):
    """A view with these throttles that lets everybody in."""

    class View(APIView):
        authentication_classes = ()
        permission_classes = ()
        throttle_classes = [import_string(PREFIX + name) for name in classes]
        throttle_scope = scope

        def get(self, request):
            return Response({})

    return View.as_view()


def case(chance):
    """A random view and its requests."""
    names = [f"{kind}RateThrottle" for kind in ("Anon", "User", "Scoped")]
    classes = [chance.choice(names) for _ in range(chance.randint(1, 3))]
    rates = {
        name: None if chance.random() < 0.1 else f"{chance.choice(NUMBERS)}/{chance.choice(PERIODS)}"
        for name in ("anon", "user", "x")
    }
    scope = chance.choice((None, "x", "x"))
    proxies = chance.choice((None, 0, 1, 2, 5))
    cache.clear()
    now = 1_750_000_000.0
    throttling.SimpleRateThrottle.timer = staticmethod(lambda: now)
    requests = []
    with override_settings(REST_FRAMEWORK={**NOBODY, "DEFAULT_THROTTLE_RATES": rates, "NUM_PROXIES": proxies}):
        throttling.SimpleRateThrottle.THROTTLE_RATES = api_settings.DEFAULT_THROTTLE_RATES
        asked = view(classes, scope)
        for _ in range(chance.randint(10, 30)):
            now += chance.choice((0, 0, 0, 0.25, 0.75, 1, 15, 30, 59.75, 60, 1000, 3600, 80000))
            user = chance.choice((None, None, 1, 2))
            forwarded = chance.choice(FORWARDED)
            headers = {} if forwarded is None else {"HTTP_X_FORWARDED_FOR": forwarded}
            request = APIRequestFactory().get("/", REMOTE_ADDR="127.0.0.1", **headers)
            if user is not None:
                force_authenticate(request, User(user))
            answer = asked(request)
            answer.render()
            body = answer.content.decode() if answer.status_code != 200 else ""
            requests.append([now, user, forwarded, answer.status_code, answer.get("Retry-After"), body])
    return {"throttles": classes, "rates": rates, "scope": scope, "num_proxies": proxies, "requests": requests}


def main():
    """Prints the cases, a line each."""
    chance = random.Random(20)
    cases = ",\n".join(json.dumps(case(chance)) for _ in range(100))
    print(f'{{"maker": "compat/make_throttle_cases.py, DRF {__version__}", "cases": [\n{cases}\n]}}')


if __name__ == "__main__":
    main()
