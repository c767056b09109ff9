"""DRF's throttles at both servers, by a clock that both read.

The windows to the microsecond are compared under a clock that is set: `make_throttle_cases.py`. Here the whole stack is asked the
same in turn.
"""

import pytest
from harness.choice import Choice

PREFIX = "rest_framework.throttling."
ANON, USER, SCOPED = (PREFIX + f"{kind}RateThrottle" for kind in ("Anon", "User", "Scoped"))
CHOICE = Choice(
    extra={"TRUSTED_PROXIES": ["127.0.0.1"]},  # Countersign's alone: Django believes whoever sends the header
    rest_framework={
        "DEFAULT_THROTTLE_CLASSES": [ANON],
        "DEFAULT_THROTTLE_RATES": {"anon": "3/day", "user": "2/hour", "x": "1/day"},
        "NUM_PROXIES": 2,
    },
    protected=(
        {"path": "/user/", "permission": "allow_any", "throttles": [USER, SCOPED], "throttle_scope": "x"},
        {"path": "/user/too/", "permission": "is_authenticated", "throttles": [USER]},
        {"path": "/free/", "permission": "allow_any", "throttles": []},
    ),
)


@pytest.fixture
def pair(start_pair):
    with start_pair(CHOICE) as pair:
        yield pair


def asked(server, method, path, forwarded=None, headers=(), body=b""):
    """Status, Retry-After in minutes, and the body without the number in it."""
    if forwarded is not None:
        headers = [*headers, ("X-Forwarded-For", forwarded)]
    answer = server.send(method, path, headers, body)
    seconds = answer.header("retry-after")
    text = answer.text.replace(seconds, "N") if seconds else answer.text
    return answer.status, seconds and -(-int(seconds) // 60), text if answer.status == 429 else None


def test_a2_the_same_requests_get_the_same_answers(pair):
    token = pair.django.shell(
        "from rest_framework.authtoken.models import Token\n"
        "print(Token.objects.get_or_create(user=User.objects.get(username='alice'))[0].key)"
    ).strip()
    alice = [("Authorization", f"Token {token}")]
    form = [("Content-Type", "application/json")]
    sequence = [
        *[("GET", "/free/", "9.9.9.9") for _ in range(5)],
        *[("POST", "/api/token/", "9.9.9.9", form, b"{}") for _ in range(2)],
        ("GET", "/api/whoami/", "9.9.9.9"),
        ("PUT", "/api/token/refresh/", "9.9.9.9"),
        ("OPTIONS", "/api/token/verify/", "9.9.9.9"),
        ("POST", "/api/token/verify/", "1.1.1.1, 9.9.9.9, 8.8.8.8", form, b"{}"),
        ("POST", "/api/token/verify/", "6.6.6.6,9.9.9.8 ,8.8.8.8", form, b"{}"),
        *[("POST", "/api-token-auth/", "9.9.9.9", form, b"{}") for _ in range(5)],
        *[("GET", "/user/", "7.7.7.7") for _ in range(4)],
        *[("GET", "/user/", "7.7.7.7", alice) for _ in range(3)],
        ("GET", "/user/too/", "7.7.7.7", alice),
        ("GET", "/user/too/", "7.7.7.7"),
    ]
    answers = [[asked(server, *request) for request in sequence] for server in pair.servers]
    assert answers[0] == answers[1]
    assert {status for status, *_ in answers[0]} >= {200, 400, 401, 405, 429}
