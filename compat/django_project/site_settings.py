"""Settings of the Django project the suite compares against.

Everything a test may vary comes from the JSON file named by COMPAT_SETTINGS; the rest
is what `django-admin startproject` writes, with DEBUG off.
"""

import json
import os
from datetime import timedelta
from pathlib import Path

with Path(os.environ["COMPAT_SETTINGS"]).open() as file:
    CHOICE = json.load(file)


def typed(value):
    """A duration is written {"seconds": n} in JSON."""
    if isinstance(value, dict) and set(value) == {"seconds"}:
        return timedelta(seconds=value["seconds"])
    return value


SECRET_KEY = CHOICE["secret_key"]
DEBUG = False
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "urls"
WSGI_APPLICATION = "wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_I18N = True
USE_TZ = True
STATIC_URL = "static/"

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "rest_framework_simplejwt",
    *CHOICE["installed_apps"],
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

DATABASES = {"default": CHOICE["database"]}

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

PASSWORD_HASHERS = [f"cheap_hashers.{name}" for name in CHOICE["password_hashers"]]

SIMPLE_JWT = {name: typed(value) for name, value in CHOICE["simple_jwt"].items()}

REST_KNOX = {name: typed(value) for name, value in CHOICE.get("knox", {}).items()}

AUTHENTICATION_CLASSES = {
    "token": "rest_framework.authentication.TokenAuthentication",
    "basic": "rest_framework.authentication.BasicAuthentication",
    "knox": "knox.auth.TokenAuthentication",
    "session": "rest_framework.authentication.SessionAuthentication",
    "jwt": "rest_framework_simplejwt.authentication.JWTAuthentication",
    "jwt_stateless": "rest_framework_simplejwt.authentication.JWTStatelessUserAuthentication",
}

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        AUTHENTICATION_CLASSES[kind] for kind in CHOICE["authentication"]
    ],
    **CHOICE.get("rest_framework", {}),
}

globals().update(CHOICE.get("extra", {}))

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"stderr": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["stderr"], "level": "ERROR"},
}
