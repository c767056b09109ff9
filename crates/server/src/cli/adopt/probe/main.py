# Runs manage.py and, where it would hand over to Django's command line, looks around instead.


from importlib.util import find_spec


def versions():
    from importlib import metadata

    found = {"python": sys.version.split()[0]}
    for name, package in (
        ("django", "Django"),
        ("rest_framework", "djangorestframework"),
        ("simplejwt", "djangorestframework-simplejwt"),
        ("knox", "django-rest-knox"),
        ("pyjwt", "PyJWT"),
    ):
        found[name] = attempt(metadata.version, package)
    return found


def observe():
    from django.conf import settings

    try:
        settings.INSTALLED_APPS
    except Exception as error:
        fail("settings", error, module=os.environ.get("DJANGO_SETTINGS_MODULE"))
    import django

    try:
        django.setup()
    except Exception as error:
        fail("setup", error, module=os.environ.get("DJANGO_SETTINGS_MODULE"))
    from django.apps import apps

    if not apps.is_installed("django.contrib.auth"):
        fail("no-auth")
    try:
        # First, as Django itself would: modules that import each other in circles may work in this order only.
        from django.urls import get_resolver

        get_resolver().url_patterns
    except Exception as error:
        fail("urls", error, module=settings.ROOT_URLCONF)
    document = {"format": 1, "versions": versions()}
    try:
        document["django"] = django_settings()
        document["users"] = users()
        document["database"] = database()
        document["hashers"] = hashers()
        document["backends"] = backends()
        document["validators"] = validators()
        for name, package, read in (
            ("rest_framework", "rest_framework", rest_framework),
            ("simple_jwt", "rest_framework_simplejwt", simple_jwt),
        ):
            document[name] = read() if find_spec(package) else None
        document["knox"] = knox() if apps.is_installed("knox") else None
        document["views"] = views()
    except Exception as error:
        fail("project", error)
    send(document)


def main():
    manage = os.environ.pop("COUNTERSIGN_ADOPT_MANAGE")
    try:
        import django
        from django.core.management import ManagementUtility
    except ImportError as error:
        fail("no-django", error)
    ManagementUtility.execute = lambda self: observe()
    # As `python manage.py check` would have it.
    if sys.path and sys.path[0] == "":
        sys.path[0] = os.path.dirname(os.path.realpath(manage))
    sys.argv = [manage, "check"]
    try:
        runpy.run_path(manage, run_name="__main__")
    except SystemExit as error:
        fail("manage", error)
    except Exception as error:
        fail("settings" if os.environ.get("DJANGO_SETTINGS_MODULE") else "manage", error, module=os.environ.get("DJANGO_SETTINGS_MODULE"))
    fail("manage")


main()
