"""Which tests of each peer are run, under which settings, and which of them cannot hold here, each with its reason."""

import json
from dataclasses import dataclass, field, replace
from datetime import timedelta

from harness.choice import AUTHTOKEN, BLACKLIST, KNOX, SESSIONS, Choice


@dataclass(frozen=True)
class Suite:
    """A published source archive (`NAME-VERSION.tar.gz`) and what to run of it."""

    package: str
    files: tuple
    choice: Choice
    urls: str
    paths: dict = field(default_factory=dict)  # Countersign's `[paths]`
    apps: tuple = ()  # of the tests themselves, for Django alone
    exceptions: dict = field(default_factory=dict)  # Class::test, and why it cannot hold


def view(path, authentication, methods, body):
    """A view of the tests that needs a login and answers the same to everybody."""
    return {
        "path": path, "authentication": [authentication], "permission": "is_authenticated", "methods": methods,
        "response": {"content_type": "application/json", "body": json.dumps(body)},
    }  # fmt: skip


_DRF_VIEWS = {
    "/basic/": "basic",
    "/session/": "session",
    "/token/": "token",
    "/customtoken/": {"kind": "token", "keyword": "Token", "table": "authentication_customtoken"},
    "/customkeywordtoken/": {"kind": "token", "keyword": "Bearer", "table": "authtoken_token"},
}

_ONE_QUERY = "counts the queries of the process it runs in"

SUITES = {
    "simplejwt": Suite(
        package="djangorestframework_simplejwt",
        files=("tests/test_views.py", "tests/test_integration.py"),
        choice=Choice(
            authentication=("jwt",),
            simple_jwt={"BLACKLIST_AFTER_ROTATION": True},
            installed_apps=(BLACKLIST,),
            protected=(view("/test-view/", "jwt", ["GET"], {"foo": "bar"}),),
        ),
        urls="tests.urls",
        paths={
            "token_obtain_pair": "/token/pair/",
            "token_refresh": "/token/refresh/",
            "token_obtain_sliding": "/token/sliding/",
            "token_refresh_sliding": "/token/sliding/refresh/",
            "token_verify": "/token/verify/",
            "token_blacklist": "/token/blacklist/",
        },
        exceptions={
            "TestTokenRefreshView::test_it_should_return_access_token_if_everything_ok": (
                "sets back the clock by which tokens are made, and not the one by which they are checked"
            ),
            "TestTestView::test_expired_token": "a lifetime of nothing is refused at the start",
        },
    ),
    "knox": Suite(
        package="django_rest_knox",
        files=("tests/test_views.py",),
        choice=Choice(
            authentication=("basic", "session", "knox"),
            installed_apps=(KNOX,),
            protected=(view("/", "knox", ["GET"], "User is authenticated."),),
        ),
        urls="peers.knox_urls",
        paths={"knox_login": "/api/login/", "knox_logout": "/api/logout/", "knox_logoutall": "/api/logoutall/"},
        exceptions={"TokenAuthenticationTestCase::test_expiry_signals": "waits for a signal of the process it runs in"},
    ),
    "drf": Suite(
        package="djangorestframework",
        files=("tests/authentication/test_authentication.py",),
        choice=Choice(
            authentication=("session", "basic"),
            installed_apps=(AUTHTOKEN, SESSIONS),
            protected=tuple(view(path, kind, ["GET", "POST", "PUT"], {}) for path, kind in _DRF_VIEWS.items()),
        ),
        urls="tests.authentication.test_authentication",
        paths={"obtain_auth_token": "/auth-token/"},
        apps=("tests.authentication",),
        exceptions={
            "SessionAuthTests::test_login_view_renders_on_get": "a page of DRF's browsable API",
            **{f"{kind}AuthTests::test_post_json_makes_one_db_query": _ONE_QUERY
               for kind in ("Token", "CustomToken", "CustomKeywordToken")},
        },
    ),
}

# The same with sessions, which Django's tests know nothing of.
SUITES["simplejwt-sessions"] = replace(
    SUITES["simplejwt"], choice=SUITES["simplejwt"].choice.but(sessions={"enabled": True})
)


def settings(values):
    """SimpleJWT's or Knox's settings as a choice has them: those that are not the default, classes by their paths."""
    plain = {}
    for name, value in values.items():
        if isinstance(value, type):
            value = f"{value.__module__}.{value.__qualname__}"
        elif isinstance(value, tuple):
            value = list(value)
        assert value is None or isinstance(value, str | bool | int | float | list | timedelta), (name, value)
        plain[name] = value
    return plain
