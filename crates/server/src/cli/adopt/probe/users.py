# The user model: its table and columns, and how its manager finds a user.


def table_name(db_table):
    """Schema and table of `db_table`, with the `schema"."table` spelling that Django leaves to projects."""
    stripped = db_table[1:-1] if len(db_table) > 1 and db_table[0] == db_table[-1] == '"' else db_table
    schema, separator, table = stripped.rpartition('"."')
    return {"schema": schema if separator else None, "table": table}


def column(model, name):
    """What stands for an attribute of the model: a column, a constant, code, or nothing."""
    from django.core.exceptions import FieldDoesNotExist
    from django.db import connections, router

    try:
        field = model._meta.get_field(name)
    except FieldDoesNotExist:
        field = None
    if field is not None and getattr(field, "concrete", False):
        connection = connections[router.db_for_write(model) or "default"]
        return {
            "kind": "column",
            "name": field.name,
            "column": field.column,
            "type": field.get_internal_type(),
            "db_type": attempt(field.db_type, connection),
            "stock_class": type(field).__module__.startswith("django."),
            "class": dotted(type(field)),
            "unique": bool(field.unique),
            "null": bool(field.null),
            "elsewhere": field.model._meta.concrete_model is not model._meta.concrete_model,
        }
    found = inspect.getattr_static(model, name, None)
    if isinstance(found, bool):
        return {"kind": "constant", "value": found}
    return {"kind": "none" if found is None else "code"}


def many_to_many(model, name):
    through = getattr(getattr(model, name, None), "through", None)
    if through is None:
        return None
    found = dict(table_name(through._meta.db_table), user_column=None)
    for field in through._meta.fields:
        if getattr(field, "remote_field", None) and field.remote_field.model._meta.concrete_model is model._meta.concrete_model:
            found["user_column"] = field.column
    return found


class Caught(BaseException):
    """Carries a query out of the project's code before it runs."""

    def __init__(self, query):
        self.query = query


class Touched(BaseException):
    """The project's code looked at the row it found."""


class Row:
    """Stands for a user that was found: code that as much as looks at it has a say in who that is."""

    def touched(self, *_):
        raise Touched

    __getattribute__ = __setattr__ = __bool__ = __eq__ = __ne__ = __hash__ = __repr__ = __str__ = __format__ = __iter__ = __len__ = touched


SAMPLE = "Countersign-Probe@Example.com"


def looked_up(manager, get=None):
    """What `get_by_natural_key` gives when every query is caught before it runs; `get` stands in for `QuerySet.get`."""
    from django.db.backends.base.base import BaseDatabaseWrapper
    from django.db.models.query import QuerySet

    def caught(queryset, *_, **__):
        raise Caught(queryset.query)

    def no_cursor(*_, **__):
        raise Caught(None)

    stubs = [(QuerySet, "_fetch_all", caught), (QuerySet, "iterator", caught), (BaseDatabaseWrapper, "cursor", no_cursor)]
    stubs += [] if get is None else [(QuerySet, "get", get)]
    saved = [(owner, name, getattr(owner, name)) for owner, name, _ in stubs]
    try:
        for owner, name, stub in stubs:
            setattr(owner, name, stub)
        return manager.get_by_natural_key(SAMPLE)
    finally:
        for owner, name, original in saved:
            setattr(owner, name, original)


def lookup(model):
    """How `get_by_natural_key` looks a user up; `lookup` stays None where code of the project has a further say in it."""
    from django.contrib.auth.base_user import BaseUserManager

    manager = model._default_manager
    found = {"lookup": None, "column": None, "filters": False}
    found["filters"] = attempt(lambda: bool(manager.all().query.where.children), default=True)
    found["manager"] = dotted(type(manager))
    own = attempt(own_lookups, manager, default=[None])
    if own and (any(map(decides, own)) or not hands_through(manager, model)):
        return found
    query = None
    try:
        looked_up(manager)
    except Caught as catch:
        query = catch.query
    except Exception:
        pass
    if query is None:
        return found
    conditions = [child for child in query.where.children if not is_filter_of(manager, child)]
    if len(conditions) == 1 and not query.where.negated:
        condition = conditions[0]
        column_of = getattr(condition, "lhs", None)
        target = getattr(column_of, "target", None)
        name = getattr(condition, "lookup_name", None)
        if target is not None and type(column_of).__name__ == "Col" and column_of.alias == query.get_initial_alias() and name in ("exact", "iexact"):
            # A lowered sample under iexact finds the same rows; under exact it does not.
            rhs = getattr(condition, "rhs", None)
            fits = rhs == SAMPLE or (name == "iexact" and str(rhs).lower() == SAMPLE.lower())
            if fits:
                found["lookup"], found["column"] = name, target.column
            elif rhs in (SAMPLE.lower(), BaseUserManager.normalize_email(SAMPLE)):
                found["lookup"] = "lowered"
    return found


def own_lookups(manager):
    """Functions of the project that stand between a name and its user, in place of Django's."""
    from django.contrib.auth.base_user import BaseUserManager
    from django.db.models import Manager
    from django.db.models.query import QuerySet

    queryset = type(manager.get_queryset())
    pairs = (
        (getattr(type(manager), "get_by_natural_key"), BaseUserManager.get_by_natural_key),
        (getattr(type(manager), "get"), Manager.get),
        (queryset.get, QuerySet.get),
        (queryset._fetch_all, QuerySet._fetch_all),
    )
    own = [ours for ours, theirs in pairs if ours is not theirs]
    # Set on the instance, a function is found before the class's.
    return own + [vars(manager)[name] for name in ("get_by_natural_key", "get") if name in vars(manager)]


def decides(function):
    """Whether a function (or one it wraps) takes a turn anywhere: then it does not treat all names alike."""
    import dis

    jumps = set(dis.hasjrel) | set(dis.hasjabs)
    while function is not None:
        code = getattr(function, "__code__", None)
        if code is None or getattr(code, "co_exceptiontable", b"") or any(one.opcode in jumps for one in dis.get_instructions(code)):
            return True
        function = getattr(function, "__wrapped__", None)
    return False


def hands_through(manager, model):
    """Whether `get_by_natural_key` gives back what its one `get` gives, and raises what that raises."""
    row, absent, calls = Row(), model.DoesNotExist("countersign"), []

    def finds(*_, **__):
        calls.append(None)
        return row

    def misses(*_, **__):
        calls.append(None)
        raise absent

    try:
        if looked_up(manager, finds) is not row or len(calls) != 1:
            return False
        looked_up(manager, misses)
    except (Caught, Touched):
        return False
    except Exception as error:
        return error is absent and len(calls) == 2
    return False


def is_filter_of(manager, condition):
    return attempt(lambda: condition in manager.all().query.where.children, default=False)


def users():
    from django.conf import settings
    from django.contrib.auth import get_user_model
    from django.contrib.auth.base_user import AbstractBaseUser
    from django.contrib.auth.models import PermissionsMixin

    model = get_user_model()
    email = attempt(model.get_email_field_name, default="email")
    return dict(
        table_name(model._meta.db_table),
        model=settings.AUTH_USER_MODEL,
        id=column(model, model._meta.pk.name),
        username=column(model, model.USERNAME_FIELD),
        username_field=model.USERNAME_FIELD,
        required_fields=list(model.REQUIRED_FIELDS),
        columns={
            "password": column(model, "password"),
            "last_login": column(model, "last_login"),
            "is_active": column(model, "is_active"),
            "is_staff": column(model, "is_staff"),
            "is_superuser": column(model, "is_superuser"),
            "date_joined": column(model, "date_joined"),
            "email": column(model, email),
            "first_name": column(model, "first_name"),
            "last_name": column(model, "last_name"),
        },
        permissions_mixin=issubclass(model, PermissionsMixin),
        groups=attempt(many_to_many, model, "groups"),
        user_permissions=attempt(many_to_many, model, "user_permissions"),
        lookup=lookup(model),
        objects_filtered=attempt(lambda: bool(model.objects.all().query.where.children), default=False),
        own_password_check=inspect.getattr_static(model, "check_password", None)
        is not inspect.getattr_static(AbstractBaseUser, "check_password"),
    )
