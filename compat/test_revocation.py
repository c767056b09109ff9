"""What a running Django does to its users, and what ends here: access tokens of both, refused where no database is asked."""

import time
from datetime import timedelta

import pytest
from conftest import PASSWORD
from harness import database, tokens
from test_sessions import CHOICE, ON, ROTATING, VOID, login, migrated, refresh, refreshed

STATELESS = CHOICE.but(protected=({"path": "/stateless/", "authentication": ["jwt_stateless"]},))
USER = "user = User.objects.get(username='alice'); "
REFUSED = {
    "detail": "Given token not valid for any token type",
    "code": "token_not_valid",
    "messages": [{"token_class": "AccessToken", "token_type": "access", "message": "Token is blacklisted"}],
}
# Asked until it is known, which takes a second at most.
TRIES = 20_000


def ask(server, token, path="/stateless/"):
    return server.send("GET", path, [("Authorization", f"Bearer {token}")])


def assert_ends(server, token):
    answers = (ask(server, token) for _ in range(TRIES))
    refused = next(answer for answer in answers if answer.status != 200)
    assert (refused.status, refused.json()) == (401, REFUSED)


@pytest.mark.parametrize(
    "deed",
    [
        "user.is_active = False; user.save()",
        "User.objects.filter(username='alice').update(is_active=False)",
        "user.set_password('another password 42'); user.save()",
        "user.delete()",
    ],
    ids=["disabled", "disabled in bulk", "new password", "deleted"],
)
def test_r5_a_deed_of_djangos_ends_tokens_here(start_pair, deed):
    """Tokens that were made here and at Django, of this user and of nobody else."""
    with migrated(start_pair(STATELESS)) as pair:
        here, there = login(pair.countersign), login(pair.django)
        other = login(pair.countersign, "carol")
        for token in (here, there, other):
            assert ask(pair.countersign, token["access"]).status == 200
        pair.django.shell(USER + "user.first_name = 'A'; user.save()")
        assert ask(pair.countersign, here["access"]).status == 200
        pair.django.shell(USER + deed)
        for token in (here, there):
            assert_ends(pair.countersign, token["access"])
            assert refresh(pair.countersign, token["refresh"]).status == 401
        assert ask(pair.countersign, other["access"]).status == 200
        refreshed(pair.countersign, other["refresh"])


def test_r5_after_a_new_password_one_logs_in_again(start_pair):
    """Here and at Django; the session that began with the old password stays ended."""
    with migrated(start_pair(STATELESS)) as pair:
        before = login(pair.countersign)
        pair.django.shell(USER + f"user.set_password('{PASSWORD}'); user.save()")
        assert_ends(pair.countersign, before["access"])
        for server in (pair.countersign, pair.django):
            if server is pair.django:
                time.sleep(1)  # its tokens say only the second in which they were made
            after = login(server)
            assert ask(pair.countersign, after["access"]).status == 200
            assert ask(pair.countersign, refreshed(pair.countersign, after["refresh"])["access"]).status == 200
        answer = refresh(pair.countersign, before["refresh"])
        assert (answer.status, answer.json()) == (401, VOID)


def test_r5_logging_out_everywhere_here_counts_at_django(start_pair):
    """Refresh tokens of both are void at both."""
    with migrated(start_pair(STATELESS)) as pair:
        here, there = login(pair.countersign), login(pair.django)
        bearer = ("Authorization", f"Bearer {here['access']}")
        out = pair.countersign.send("POST", "/api/sessions/logout-all/", [bearer])
        assert out.status == 204, out.text
        for token in (here, there):
            assert_ends(pair.countersign, token["access"])
            for server in (pair.countersign, pair.django):
                answer = refresh(server, token["refresh"])
                assert (answer.status, answer.json()) == (401, VOID), server.name


QUICK = STATELESS.but(simple_jwt=ROTATING, sessions={**ON, "django_logout_after": timedelta(seconds=1)})
BLACKLISTED = "from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken; "


def assert_settled(pair):
    """Whatever Django voided has been judged."""
    unsettled = "SELECT count(*) FROM countersign_revocation WHERE kind = 'void'"
    assert any(database.value(pair.database, unsettled) == 0 for _ in range(TRIES))


def out_by_view(django, token):
    assert django.post("/api/token/blacklist/", {"refresh": token["refresh"]}).status == 200


def out_by_admin(django, token):
    django.shell(BLACKLISTED + "BlacklistedToken(token=OutstandingToken.objects.get(jti=jti)).save()",
                 jti=tokens.claims(token["refresh"])["jti"])  # fmt: skip


def out_of_all(django, token):
    django.shell(BLACKLISTED + "[BlacklistedToken.objects.get_or_create(token=t) for t in OutstandingToken.objects.all()]")


@pytest.mark.parametrize("log_out", [out_by_view, out_by_admin, out_of_all])
def test_r5_a_logout_at_django_ends_access_tokens_here(start_pair, log_out):
    """Whichever server gave out or rotated the token last, as long as the session was begun here."""
    with migrated(start_pair(QUICK)) as pair:
        other = login(pair.countersign, "carol")
        for rotated in ((), (pair.countersign,), (pair.django,), (pair.django, pair.countersign, pair.django)):
            chain = [login(pair.countersign)]
            for server in rotated:
                chain.append({"refresh": chain[-1]["refresh"], **refreshed(server, chain[-1]["refresh"])})
            for token in chain:
                assert ask(pair.countersign, token["access"]).status == 200
            log_out(pair.django, chain[-1])
            for token in chain:
                assert_ends(pair.countersign, token["access"])
            if log_out is not out_of_all:
                assert ask(pair.countersign, other["access"]).status == 200
        assert_settled(pair)
        reasons = "SELECT count(*) FROM countersign_session WHERE ended_at IS NOT NULL AND end_reason <> 'django_logout'"
        assert database.value(pair.database, reasons) == 0


def test_r5_a_rotation_at_django_ends_nothing_here(start_pair):
    """Django voids the old token and records the new one in another transaction; clients go on at either server."""
    with migrated(start_pair(QUICK)) as pair:
        chains = [[login(server)] for server in (pair.countersign, pair.django, pair.countersign)]
        chains[1].append(refreshed(pair.countersign, chains[1][-1]["refresh"]))
        for _ in range(3):
            for chain in chains:
                chain.append(refreshed(pair.django, chain[-1]["refresh"]))
        assert_settled(pair)
        for chain in chains:
            for token in chain:
                assert ask(pair.countersign, token["access"]).status == 200
            for server in (pair.django, pair.countersign):
                chain.append(refreshed(server, chain[-1]["refresh"]))
                assert ask(pair.countersign, chain[-1]["access"]).status == 200
        assert database.value(pair.database, "SELECT count(*) FROM countersign_session WHERE ended_at IS NOT NULL") == 0


def test_r5_what_django_migrates_is_not_in_the_way(start_pair):
    """Altering the users' table works beside the triggers; where it rebuilds the table, `countersign migrate` brings them back."""
    with migrated(start_pair(STATELESS)) as pair:
        pair.django.shell(
            "from django.db import connection, models; editor = connection.schema_editor(); editor.__enter__(); "
            "new = models.CharField(max_length=200); new.set_attributes_from_name('password'); "
            "old = User._meta.get_field('password'); "
            "editor.alter_field(User, old, new); editor.__exit__(None, None, None)"
        )
        again = pair.countersign.run("migrate")
        assert again.returncode == 0, again.stderr
        token = login(pair.countersign)
        pair.django.shell(USER + "user.is_active = False; user.save()")
        assert_ends(pair.countersign, token["access"])
