# Settings of Django, DRF and SimpleJWT as they take effect.

SIMPLE_JWT_KEYS = (
    "ACCESS_TOKEN_LIFETIME", "REFRESH_TOKEN_LIFETIME", "ROTATE_REFRESH_TOKENS", "BLACKLIST_AFTER_ROTATION", "UPDATE_LAST_LOGIN", "ALGORITHM",
    "AUDIENCE", "ISSUER", "LEEWAY", "AUTH_HEADER_TYPES", "AUTH_HEADER_NAME", "USER_ID_FIELD", "USER_ID_CLAIM", "TOKEN_TYPE_CLAIM", "JTI_CLAIM",
    "SLIDING_TOKEN_REFRESH_EXP_CLAIM", "SLIDING_TOKEN_LIFETIME", "SLIDING_TOKEN_REFRESH_LIFETIME", "CHECK_REVOKE_TOKEN", "REVOKE_TOKEN_CLAIM",
    "CHECK_USER_IS_ACTIVE",
)
SESSION_KEYS = (
    "SESSION_ENGINE", "SESSION_SERIALIZER", "SESSION_COOKIE_NAME", "SESSION_COOKIE_DOMAIN", "CSRF_COOKIE_NAME", "CSRF_COOKIE_DOMAIN",
    "CSRF_HEADER_NAME", "CSRF_USE_SESSIONS", "CSRF_TRUSTED_ORIGINS", "ALLOWED_HOSTS", "SECURE_PROXY_SSL_HEADER", "USE_X_FORWARDED_HOST",
)
KNOX_KEYS = (
    "AUTH_TOKEN_CHARACTER_LENGTH", "TOKEN_TTL", "TOKEN_LIMIT_PER_USER", "AUTO_REFRESH", "AUTO_REFRESH_MAX_TTL", "MIN_REFRESH_INTERVAL",
    "AUTH_HEADER_PREFIX", "TOKEN_PREFIX",
)
HASHERS = ("PBKDF2PasswordHasher", "PBKDF2SHA1PasswordHasher", "Argon2PasswordHasher", "BCryptSHA256PasswordHasher", "BCryptPasswordHasher",
           "ScryptPasswordHasher", "MD5PasswordHasher")
# Attributes of hashers that are work factors; anything else a subclass changes is code.
WORK = ("iterations", "rounds", "time_cost", "memory_cost", "parallelism", "work_factor", "block_size")


def plain(value):
    """A setting as JSON has it."""
    value = seconds(value)
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(one) for one in value]
    if value is None or isinstance(value, (bool, int, float)):
        return value
    return text(value)


def simple_jwt():
    from django.conf import settings
    from rest_framework_simplejwt.settings import api_settings
    from rest_framework_simplejwt.tokens import AccessToken, RefreshToken, SlidingToken, UntypedToken

    stock = {"AccessToken": AccessToken, "RefreshToken": RefreshToken, "SlidingToken": SlidingToken, "UntypedToken": UntypedToken}
    names = {id(cls): name for name, cls in stock.items()}
    values = {key: plain(getattr(api_settings, key)) for key in SIMPLE_JWT_KEYS if attempt(lambda: (getattr(api_settings, key), True)[1], default=False)}
    if "USER_ID_FIELD" in values:
        from django.contrib.auth import get_user_model

        name = get_user_model()._meta.pk.name if values["USER_ID_FIELD"] == "pk" else values["USER_ID_FIELD"]
        values["USER_ID_FIELD"] = column(get_user_model(), name).get("column", values["USER_ID_FIELD"])
    signing = text(attempt(getattr, api_settings, "SIGNING_KEY"))
    hooks = {}
    for name, usual in (
        ("USER_AUTHENTICATION_RULE", "rest_framework_simplejwt.authentication.default_user_authentication_rule"),
        ("TOKEN_USER_CLASS", "rest_framework_simplejwt.models.TokenUser"),
        ("JSON_ENCODER", None),
        ("JWK_URL", None),
    ):
        value = attempt(getattr, api_settings, name)
        value = None if not value else text(value) if name == "JWK_URL" else dotted(value)
        hooks[name] = None if value == usual else value
    return {
        "values": values,
        "signing_key": None if signing == text(settings.SECRET_KEY) else signing,
        "verifying_key": text(attempt(getattr, api_settings, "VERIFYING_KEY")) or None,
        "auth_token_classes": [{"class": dotted(cls), "stock": names.get(id(cls))} for cls in attempt(getattr, api_settings, "AUTH_TOKEN_CLASSES") or ()],
        "hooks": hooks,
    }


def knox():
    from knox.models import get_token_model
    from knox.settings import knox_settings

    values = {key: plain(getattr(knox_settings, key)) for key in KNOX_KEYS if hasattr(knox_settings, key)}
    algorithm = getattr(knox_settings, "SECURE_HASH_ALGORITHM", None)
    serializer = getattr(knox_settings, "USER_SERIALIZER", None)
    expiry = getattr(knox_settings, "EXPIRY_DATETIME_FORMAT", None)
    return {
        "values": values,
        "algorithm": text(attempt(lambda: algorithm().name)) if callable(algorithm) else None,
        "user_serializer": None if serializer is None else dotted(serializer),
        "expiry_format": None if expiry is None else text(expiry),
        "stock_model": attempt(lambda: dotted(get_token_model()) == "knox.models.AuthToken", default=False),
    }


def rest_framework():
    from rest_framework.settings import api_settings
    from rest_framework.views import APIView

    def custom(name, usual):
        found = dotted(attempt(getattr, api_settings, name))
        return None if found in usual else found

    return {
        "defaults": policies(APIView, {}),
        "throttle_rates": {key: text(value) for key, value in (api_settings.DEFAULT_THROTTLE_RATES or {}).items()},
        "num_proxies": api_settings.NUM_PROXIES,
        "exception_handler": custom("EXCEPTION_HANDLER", ("rest_framework.views.exception_handler",)),
        "content_negotiation": custom("DEFAULT_CONTENT_NEGOTIATION_CLASS", ("rest_framework.negotiation.DefaultContentNegotiation",)),
        "versioning": custom("DEFAULT_VERSIONING_CLASS", (None,)),
        "metadata": custom("DEFAULT_METADATA_CLASS", ("rest_framework.metadata.SimpleMetadata", None)),
        "non_field_errors_key": text(api_settings.NON_FIELD_ERRORS_KEY),
        "unicode_json": bool(api_settings.UNICODE_JSON),
        "compact_json": bool(api_settings.COMPACT_JSON),
        "strict_json": bool(api_settings.STRICT_JSON),
        "url_format_override": text(api_settings.URL_FORMAT_OVERRIDE),
    }


def hashers():
    from django.conf import settings
    from django.contrib.auth import hashers as stock

    known = {id(getattr(stock, name, None)): name for name in HASHERS}
    found = []
    for path in settings.PASSWORD_HASHERS:
        cls = find(path)
        entry = {"class": path, "algorithm": text(getattr(cls, "algorithm", None)), "base": None, "overrides": [], "work": {}}
        base = next((parent for parent in getattr(cls, "__mro__", ()) if id(parent) in known), None)
        if base is not None:
            entry["base"] = base.algorithm
            entry["overrides"] = [name for name in overrides(cls, base) if name not in WORK + ("library",)]
            entry["work"] = {name: getattr(cls, name) for name in WORK if isinstance(getattr(cls, name, None), int)}
        found.append(entry)
    return found


def backends():
    """Backends, and whether a login with username and password reaches code of theirs. Django tries each whose signature fits."""
    from django.conf import settings

    stock = ("django.contrib.auth.backends.AllowAllUsersModelBackend", "django.contrib.auth.backends.ModelBackend")
    found = []
    for path in settings.AUTHENTICATION_BACKENDS:
        cls = find(path)
        entry = describe(cls, stock)
        base = find("django.contrib.auth.backends.BaseBackend")
        authenticate = getattr(cls, "authenticate", None)
        takes_password = authenticate is not None and authenticate is not getattr(base, "authenticate", None)
        if takes_password:
            try:
                inspect.signature(authenticate).bind(None, None, username="", password="")
            except (TypeError, ValueError):
                takes_password = False
        entry["class"], entry["takes_password"] = path, takes_password
        found.append(entry)
    return found


def validators():
    from django.conf import settings

    return [
        {"name": entry.get("NAME"), "options": {key: plain(value) for key, value in (entry.get("OPTIONS") or {}).items()}}
        for entry in settings.AUTH_PASSWORD_VALIDATORS
    ]


def django_settings():
    from django.apps import apps
    from django.conf import settings
    from django.contrib.auth.signals import user_login_failed

    middleware = [text(one) for one in settings.MIDDLEWARE]
    return {
        "module": os.environ.get("DJANGO_SETTINGS_MODULE"),
        "secret_key": text(settings.SECRET_KEY),
        "secret_key_fallbacks": len(getattr(settings, "SECRET_KEY_FALLBACKS", ())),
        "debug": bool(settings.DEBUG),
        "installed_apps": [config.name for config in apps.get_app_configs()],
        "append_slash": bool(settings.APPEND_SLASH),
        "data_upload_max_memory_size": settings.DATA_UPLOAD_MAX_MEMORY_SIZE,
        "data_upload_max_number_fields": settings.DATA_UPLOAD_MAX_NUMBER_FIELDS,
        "data_upload_max_number_files": getattr(settings, "DATA_UPLOAD_MAX_NUMBER_FILES", 100),
        "sessions": {key: plain(getattr(settings, key)) for key in SESSION_KEYS},
        "use_tz": bool(settings.USE_TZ),
        "time_zone": text(settings.TIME_ZONE),
        "language_code": text(settings.LANGUAGE_CODE),
        "use_i18n": bool(settings.USE_I18N),
        "locale_middleware": "django.middleware.locale.LocaleMiddleware" in middleware,
        "force_script_name": text(settings.FORCE_SCRIPT_NAME),
        "middleware": [one for one in middleware if not one.startswith("django.")],
        "cors": cors(settings) if any(one.startswith("corsheaders.") for one in middleware) else None,
        "login_failed_receivers": receivers(user_login_failed, ("django.",)),
    }


def cors(settings):
    """What django-cors-headers is told, as far as nginx can be told the same."""
    return {
        "all_origins": bool(getattr(settings, "CORS_ALLOW_ALL_ORIGINS", False) or getattr(settings, "CORS_ORIGIN_ALLOW_ALL", False)),
        "origins": [text(one) for one in getattr(settings, "CORS_ALLOWED_ORIGINS", None) or getattr(settings, "CORS_ORIGIN_WHITELIST", ())],
        "patterns": [getattr(one, "pattern", text(one)) for one in getattr(settings, "CORS_ALLOWED_ORIGIN_REGEXES", ())],
        "credentials": bool(getattr(settings, "CORS_ALLOW_CREDENTIALS", False)),
    }
