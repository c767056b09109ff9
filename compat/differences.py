"""Every answer in which Countersign means to differ from Django, each with its reason.

A difference covers cases by name, and says exactly what Countersign answers instead; anything
else still fails. The user's account of them is docs/differences.md.
"""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Difference:
    """What Countersign answers to some cases, and why."""

    reason: str
    names: str
    status: int
    body: str = r".*"
    django: tuple = ()

    def covers(self, case, django, countersign):
        """Whether this difference explains the two answers to a case."""
        return (
            re.fullmatch(self.names, case.name, re.DOTALL) is not None
            and countersign["status"] == self.status
            and re.fullmatch(self.body, countersign["body"], re.DOTALL) is not None
            and (not self.django or django["status"] in self.django)
        )


def detail(text, code=None):
    """Pattern of a body with a detail and perhaps a code."""
    return re.escape('{"detail":"%s"%s}' % (text, f',"code":"{code}"' if code else ""))


INVALID = detail("Token is invalid", "token_not_valid")

DIFFERENCES = [
    Difference(
        "A malformed stored hash crashes Django (500); here it is a failed login.",
        r"login/api-token-auth/broken-hash", 400, django=(500,),
    ),
    Difference(
        "A malformed stored hash crashes Django (500); here it is a failed login.",
        r"login/api/token/(sliding/)?broken-hash", 401, django=(500,),
    ),
    Difference(
        "JSON nested too deep crashes Django (500); here it is a parse error.",
        r"nested/deep", 400, r'\{"detail":"JSON parse error - .*"\}', django=(500,),
    ),
    Difference(
        "Django takes a chunked body for an empty one; here it is read.",
        r"chunked/json", 200, django=(400,),
    ),
    Difference(
        "A refresh token of a deleted user crashes SimpleJWT 5.5.1 (500); later releases answer this.",
        r"token/api/token/refresh/(ghost|oddid|intid|hugeid|vastid):(access|refresh|sliding)", 401,
        detail("No active account found for the given token.", "no_active_account"), django=(500,),
    ),
    Difference(
        "A user id that is no number crashes SimpleJWT at the blacklist (500); here the row has no user.",
        r"token/api/token/blacklist/(ghost|oddid):refresh", 200, r"\{\}", django=(500,),
    ),
    Difference(
        "A user id that is no number crashes SimpleJWT (500); here it is nobody's.",
        r"auth/.*/bearer-odd-id", 401, detail("User not found", "user_not_found"), django=(500,),
    ),
    Difference(
        "Token content may crash SimpleJWT (500: no jti beside the blacklist app, exp a string or out of"
        " range); here such a token is refused.",
        r"token/.*/(nojti|stringexp|hugeexp):(access|refresh|sliding)", 401,
        r'\{"detail":"Token [^"]*","code":"token_not_valid"\}', django=(500,),
    ),
    Difference(
        "A jti that no row could void (too long, or with a NUL) crashes Django on PostgreSQL (500) where the blacklist is"
        " looked into; here it is refused there, on every database and before anything else.",
        r"token/.*/(longjti|nuljti):(access|refresh|sliding)", 401, INVALID, django=(200, 401, 500),
    ),
    Difference(
        "A token without jti crashes SimpleJWT (500) where a class with the blacklist is tried.",
        r"auth/.*/bearer-no-jti", 401,
        r'\{"detail":"Given token not valid for any token type","code":"token_not_valid",.*"Token has no id".*', django=(500,),
    ),
    Difference(
        "With CHECK_REVOKE_TOKEN a refresh token from before a password change is refused, as in later releases"
        " of SimpleJWT; 5.5.1 goes on refreshing it.",
        r"token/api/token/refresh/badrevoke:refresh", 401,
        detail("The user's password has been changed.", "password_changed"), django=(200,),
    ),
    Difference(
        "A NUL in a Basic user name crashes Django on PostgreSQL (500) and not on SQLite (401).",
        r"auth/.*/basic-nul", 401, detail("Invalid username/password."), django=(500,),
    ),
    Difference(
        "Characters that no URI may hold (RFC 3986) end the request before it is looked at.",
        r"slash/query-unescaped", 400, r"", django=(301,),
    ),
]  # fmt: skip


def explained(case, django, countersign):
    """The reason a difference is meant, None when it is not."""
    for entry in DIFFERENCES:
        if entry.covers(case, django, countersign):
            return entry.reason
    return None
