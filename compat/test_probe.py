"""What the probe of `countersign adopt` makes of a manager's `get_by_natural_key`.

Each manager stands on a proxy of Django's user model; the probe's own text runs beside it, without a database.
"""

import json
import subprocess
import sys
import textwrap

import pytest
from harness.servers import COMPAT

PROBE = COMPAT.parent / "crates/server/src/cli/adopt/probe"
FRAME = """
from django.conf import settings

settings.configure(
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes"],
    DATABASES={{"default": {{"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}}},
)
import django

django.setup()
import functools
from django.contrib.auth.models import User, UserManager
from django.core.cache import cache
from django.db import models
from django.db.models import Q


def banned(user):
    return True

{manager}

class Member(User):
    objects = Manager()

    class Meta:
        app_label = "auth"
        proxy = True


send(lookup(Member))
"""


def lookup(manager):
    """The probe's word for it, and the column."""
    parts = [(PROBE / name).read_text() for name in ("channel.py", "users.py")]
    frame = FRAME.format(manager=textwrap.dedent(manager))
    result = subprocess.run(
        [sys.executable, "-B", "-"], input="\n".join([*parts, frame]), capture_output=True, text=True, timeout=60
    )
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)
    return found["lookup"], found["column"]


def method(body, name="get_by_natural_key", argument="username"):
    """A manager of one method, whose text is given without its indentation."""
    body = textwrap.indent(textwrap.dedent(body).strip(), " " * 8)
    return f"class Manager(UserManager):\n    def {name}(self, {argument}):\n{body}\n"


def test_the_stock_manager_compares_one_column():
    """Also through a subclass that adds something else."""
    assert lookup("Manager = UserManager") == ("exact", "username")
    assert lookup(method("return None", "invite")) == ("exact", "username")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('return self.get(**{f"{self.model.USERNAME_FIELD}__iexact": username})', "iexact"),
        ('return self.get(**{"{}__iexact".format(self.model.USERNAME_FIELD): username})', "iexact"),
        ("return self.get_queryset().get(username__iexact=username)", "iexact"),
        ("return self.select_related().filter(username__iexact=username).get()", "iexact"),
        ("return self.get(username=username)", "exact"),
        ("return super().get_by_natural_key(username)", "exact"),
        ("return self.get(username=username.lower())", "lowered"),
    ],
)
def test_a_method_that_only_asks_otherwise_is_understood(body, expected):
    """One condition on one column, and the row as it is found."""
    assert lookup(method(body))[0] == expected


@pytest.mark.parametrize(
    "body",
    [
        """
        m = self.get(username=username)
        if banned(m):
            raise self.model.DoesNotExist
        return m
        """,
        """
        m = self.get(username=username)
        if m.is_staff:
            raise self.model.DoesNotExist
        return m
        """,
        """
        m = self.get(username=username)
        return [m][cache.get("closed", 0)] if m else m
        """,
        """
        m = self.get(username=username)
        m.refresh()
        return m
        """,
        """
        m = self.get(username=username)
        return m.canonical
        """,
        """
        try:
            return self.get(username=username)
        except self.model.DoesNotExist:
            return self.get(email=username)
        """,
        """
        try:
            return self.get(username=username)
        except self.model.DoesNotExist:
            raise self.model.DoesNotExist("nobody")
        """,
        """
        if "@" not in username:
            return self.get(email=username)
        return self.get(username=username)
        """,
        """
        if username.startswith("blocked"):
            raise self.model.DoesNotExist
        return self.get(username=username)
        """,
        "return self.filter(username=username).first()",
        "return self.filter(username=username).first() or self.get(email=username)",
        "return self.get(Q(username=username) | Q(email=username))",
        "return self.get(username=username, is_staff=True)",
        "self.get(email=username)\nreturn self.get(username=username)",
        "return self.get(groups__name=username)",
    ],
)
def test_code_with_a_say_of_its_own_is_not_taken_for_stock(body):
    """Refusals and fall-backs before or after the query, and conditions that one column does not hold."""
    found, column = lookup(method(body))
    assert found is None or column != "username"


@pytest.mark.parametrize(
    "manager",
    [
        method("u = super().get(*args, **kwargs)\nif banned(u):\n    raise self.model.DoesNotExist\nreturn u", "get", "*args, **kwargs"),
        """
        class Rows(models.QuerySet):
            def get(self, *args, **kwargs):
                found = super().get(*args, **kwargs)
                if banned(found):
                    raise self.model.DoesNotExist
                return found


        class Manager(UserManager.from_queryset(Rows)):
            pass
        """,
        """
        def careful(method):
            @functools.wraps(method)
            def inner(self, username):
                return method(self, username)
            return inner


        class Manager(UserManager):
            @careful
            def get_by_natural_key(self, username):
                found = self.get(username=username)
                if banned(found):
                    raise self.model.DoesNotExist
                return found
        """,
        """
        class Manager(models.Manager):
            pass
        """,
    ],
)  # fmt: skip
def test_the_say_may_stand_elsewhere(manager):
    """In `get` of the manager or of its query set, or under a decorator; a manager without the method has no lookup."""
    assert lookup(manager) == (None, None)
