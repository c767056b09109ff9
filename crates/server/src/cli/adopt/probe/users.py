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


def lookup(model):
    """How `get_by_natural_key` looks a user up, found by letting it build its query and catching that before it runs."""
    from django.contrib.auth.base_user import BaseUserManager
    from django.db.backends.base.base import BaseDatabaseWrapper
    from django.db.models.query import QuerySet

    manager = model._default_manager
    found = {"lookup": None, "column": None, "filters": False}
    found["filters"] = attempt(lambda: bool(manager.all().query.where.children), default=True)
    found["manager"] = dotted(type(manager))
    sample = "Countersign-Probe@Example.com"
    saved = {"_fetch_all": QuerySet._fetch_all, "iterator": QuerySet.iterator}
    saved_cursor = BaseDatabaseWrapper.cursor

    def caught(queryset, *_, **__):
        raise Caught(queryset.query)

    def no_cursor(*_, **__):
        raise Caught(None)

    query = None
    try:
        QuerySet._fetch_all = QuerySet.iterator = caught
        BaseDatabaseWrapper.cursor = no_cursor
        manager.get_by_natural_key(sample)
    except Caught as catch:
        query = catch.query
    except Exception:
        pass
    finally:
        QuerySet._fetch_all, QuerySet.iterator = saved["_fetch_all"], saved["iterator"]
        BaseDatabaseWrapper.cursor = saved_cursor
    if query is None:
        return found
    conditions = [child for child in query.where.children if not is_filter_of(manager, child)]
    if len(conditions) == 1 and not query.where.negated:
        condition = conditions[0]
        target = getattr(getattr(condition, "lhs", None), "target", None)
        name = getattr(condition, "lookup_name", None)
        if target is not None and type(condition.lhs).__name__ == "Col" and name in ("exact", "iexact"):
            # A lowered sample under iexact finds the same rows; under exact it does not.
            rhs = getattr(condition, "rhs", None)
            fits = rhs == sample or (name == "iexact" and str(rhs).lower() == sample.lower())
            if fits:
                found["lookup"], found["column"] = name, target.column
            elif rhs in (sample.lower(), BaseUserManager.normalize_email(sample)):
                found["lookup"] = "lowered"
    return found


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
