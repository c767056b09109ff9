# The database that holds the users and tokens: where it is, and, with one read-only transaction, what is in it.


def alias_of(*paths):
    """The aliases through which these models are read and written: `DATABASE_ROUTERS` decides."""
    from django.db import router

    aliases = {}
    for path in paths:
        model = find(path)
        if model is not None and not model._meta.abstract:
            aliases[path] = {"read": router.db_for_read(model), "write": router.db_for_write(model)}
    return aliases


def database():
    from django.contrib.auth import get_user_model
    from django.db import connections, router
    from django.db.backends.signals import connection_created

    user = get_user_model()
    alias = router.db_for_write(user) or "default"
    connection = connections[alias]
    given = connection.settings_dict
    options = {
        name: text(value) for name, value in (given.get("OPTIONS") or {}).items()
        if isinstance(value, (str, int, float, bool, os.PathLike))
    }
    name = given.get("NAME")
    if connection.vendor == "sqlite" and name and not str(name).startswith(("file:", ":memory:")):
        name = os.path.abspath(str(name))
    tables = alias_of("rest_framework.authtoken.models.Token", "rest_framework_simplejwt.token_blacklist.models.OutstandingToken",
                      "knox.models.AuthToken")
    tables["user"] = {"read": router.db_for_read(user), "write": alias}
    found = {
        "alias": alias,
        "vendor": connection.vendor,
        "engine": given.get("ENGINE"),
        "name": text(name),
        "user": text(given.get("USER")) or None,
        "password": text(given.get("PASSWORD")) or None,
        "host": text(given.get("HOST")) or None,
        "port": text(given.get("PORT")) or None,
        "options": options,
        "disable_server_side_cursors": bool(given.get("DISABLE_SERVER_SIDE_CURSORS")),
        "time_zone": given.get("TIME_ZONE"),
        "sslmode_environment": os.environ.get("PGSSLMODE"),
        "tables": tables,
        "connection_receivers": receivers(connection_created, ("django.",)),
    }
    found.update(attempt(introspected, connection, default={"reachable": False, "problem": "not tried"}))
    return found


def introspected(connection):
    """What a read-only transaction shows: the address in use (libpq may have it from a service or passfile), pending migrations."""
    from django.db import transaction
    from django.db.migrations.executor import MigrationExecutor

    if connection.vendor == "sqlite" and not os.path.exists(str(connection.settings_dict.get("NAME") or "")):
        return {"reachable": False, "problem": "there is no such file"}
    try:
        connection.ensure_connection()
    except Exception as error:
        return {"reachable": False, "problem": type(error).__name__}
    found = {"reachable": True}
    try:
        if connection.vendor == "sqlite":
            with connection.cursor() as cursor:
                cursor.execute("PRAGMA query_only = ON")
        with transaction.atomic(using=connection.alias):
            if connection.vendor == "postgresql":
                with connection.cursor() as cursor:
                    cursor.execute("SET TRANSACTION READ ONLY")
                    cursor.execute("SELECT setting, source FROM pg_settings WHERE name = 'search_path'")
                    found["search_path"], found["search_path_source"] = cursor.fetchone()
                    cursor.execute("SHOW server_version")
                    found["server_version"] = cursor.fetchone()[0]
                found["effective"] = effective(connection.connection)
            executor = MigrationExecutor(connection)
            plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
            relevant = ("auth", "authtoken", "token_blacklist", "knox", "contenttypes", "sessions", user_app())
            found["pending_migrations"] = [
                "%s.%s" % (migration.app_label, migration.name) for migration, _ in plan if migration.app_label in relevant
            ]
            found["pending_elsewhere"] = sum(migration.app_label not in relevant for migration, _ in plan)
    except Exception as error:
        found["problem"] = type(error).__name__
    finally:
        connection.close()
    return found


def effective(connection):
    """What libpq connected with: psycopg 2 and 3 have the same names for it."""
    info = connection.info
    found = {name: attempt(lambda name=name: text(getattr(info, name)) or None) for name in ("host", "port", "user", "password", "dbname")}
    found["parameters"] = attempt(lambda: info.get_parameters()) or attempt(lambda: dict(info.dsn_parameters), default={})
    return found


def user_app():
    from django.contrib.auth import get_user_model

    return get_user_model()._meta.app_label


def receivers(signal, but_of):
    """Functions a signal calls, apart from those of these packages."""
    found = []
    for receiver in getattr(signal, "receivers", []):
        function = receiver[1]
        function = function() if isinstance(function, __import__("weakref").ReferenceType) else function
        if function is not None:
            name = dotted(function)
            if not name.startswith(but_of):
                found.append(name)
    return sorted(set(found))
