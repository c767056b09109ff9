# Every URL pattern of the project, and what stands behind those that authenticate.

KINDS = {
    "rest_framework.authtoken.views.ObtainAuthToken": "obtain_auth_token",
    "rest_framework_simplejwt.views.TokenObtainPairView": "token_obtain_pair",
    "rest_framework_simplejwt.views.TokenRefreshView": "token_refresh",
    "rest_framework_simplejwt.views.TokenVerifyView": "token_verify",
    "rest_framework_simplejwt.views.TokenBlacklistView": "token_blacklist",
    "rest_framework_simplejwt.views.TokenObtainSlidingView": "token_obtain_sliding",
    "rest_framework_simplejwt.views.TokenRefreshSlidingView": "token_refresh_sliding",
    "knox.views.LoginView": "knox_login",
    "knox.views.LogoutView": "knox_logout",
    "knox.views.LogoutAllView": "knox_logoutall",
}
# Packages whose views log people in or out, for the report.
LOGIN_PACKAGES = ("dj_rest_auth.", "djoser.", "rest_auth.", "allauth.", "oauth2_provider.", "rest_framework_social_oauth2.", "drf_social_oauth2.")
SERIALIZERS = {
    "obtain_auth_token": "rest_framework.authtoken.serializers.AuthTokenSerializer",
    "token_obtain_pair": "rest_framework_simplejwt.serializers.TokenObtainPairSerializer",
    "token_refresh": "rest_framework_simplejwt.serializers.TokenRefreshSerializer",
    "token_verify": "rest_framework_simplejwt.serializers.TokenVerifySerializer",
    "token_blacklist": "rest_framework_simplejwt.serializers.TokenBlacklistSerializer",
    "token_obtain_sliding": "rest_framework_simplejwt.serializers.TokenObtainSlidingSerializer",
    "token_refresh_sliding": "rest_framework_simplejwt.serializers.TokenRefreshSlidingSerializer",
}
AUTHENTICATION = (
    "rest_framework_simplejwt.authentication.JWTStatelessUserAuthentication",
    "rest_framework_simplejwt.authentication.JWTTokenUserAuthentication",
    "rest_framework_simplejwt.authentication.JWTAuthentication",
    "rest_framework.authentication.TokenAuthentication",
    "rest_framework.authentication.BasicAuthentication",
    "rest_framework.authentication.SessionAuthentication",
    "knox.auth.TokenAuthentication",
)
PERMISSIONS = ("rest_framework.permissions.AllowAny", "rest_framework.permissions.IsAuthenticated", "rest_framework.permissions.IsAdminUser",
               "rest_framework.permissions.IsAuthenticatedOrReadOnly")
RENDERERS = ("rest_framework.renderers.JSONRenderer", "rest_framework.renderers.BrowsableAPIRenderer")
PARSERS = ("rest_framework.parsers.JSONParser", "rest_framework.parsers.FormParser", "rest_framework.parsers.MultiPartParser")
# What Django and DRF themselves wrap around a view.
WRAPPERS = ("django/views/decorators/csrf.py", "django/views/decorators/debug.py", "django/views/generic/base.py", "rest_framework/", "rest_framework_simplejwt/", "knox/")
# Handled one by one below, so not listed as overrides.
POLICIES = {"authentication_classes", "permission_classes", "throttle_classes", "throttle_scope", "renderer_classes", "parser_classes",
            "serializer_class", "_serializer_class"}


def scheme(cls):
    found = describe(cls, AUTHENTICATION)
    if found["base"] == "rest_framework.authentication.TokenAuthentication":
        model = attempt(lambda: cls().get_model())
        found["keyword"] = attempt(lambda: str(cls.keyword))
        found["table"] = None if model is None else table_name(model._meta.db_table)
        found["overrides"] = [name for name in found["overrides"] if name not in ("keyword", "model")]
    return found


def handler(cls, stock):
    """A parser or renderer."""
    return dict(describe(cls, stock), media_type=attempt(lambda: str(cls.media_type)))


def policies(cls, initkwargs):
    def given(name):
        return initkwargs.get(name, getattr(cls, name, None)) or ()

    return {
        "authentication": [scheme(one) for one in given("authentication_classes")],
        "permissions": [describe(one, PERMISSIONS) for one in given("permission_classes")],
        "throttles": [dotted(one) for one in given("throttle_classes")],
        "throttle_scope": initkwargs.get("throttle_scope", getattr(cls, "throttle_scope", None)),
        "renderers": [handler(one, RENDERERS) for one in given("renderer_classes")],
        "parsers": [handler(one, PARSERS) for one in given("parser_classes")],
    }


def serializer(cls, kind, initkwargs):
    stock = SERIALIZERS.get(kind)
    if stock is None:
        return None
    chosen = initkwargs.get("serializer_class", getattr(cls, "serializer_class", None))
    if chosen is None:
        chosen = find(initkwargs.get("_serializer_class", getattr(cls, "_serializer_class", "")) or "")
    if chosen is None:
        return {"class": "nothing that can be imported", "base": None, "overrides": []}
    return describe(chosen, (stock,))


def decorators(callback):
    """Files of the functions around the view that are not Django's or DRF's own."""
    found = []
    while callback is not None:
        file = code_file(callback)
        if file and not any(part in file for part in WRAPPERS + DESCRIBING):
            found.append("/".join(file.split("/")[-2:]))
        callback = getattr(callback, "__wrapped__", None)
    return found


REGEX_LITERAL = re.compile(r"(?:[A-Za-z0-9_/~\- ]|\\[./\-_~])*\Z")


def literal(pattern):
    """The one text a pattern matches, or None. With a slash at its end that may be missing, the one that has it."""
    if hasattr(pattern, "_route"):
        return None if "<" in pattern._route else str(pattern._route)
    regex = getattr(pattern, "_regex", None)
    if regex is None:
        return None
    regex = str(regex)
    regex = regex[1:] if regex.startswith("^") else regex
    regex = regex[:-2] if regex.endswith("\\Z") else regex[:-1] if regex.endswith("$") and not regex.endswith("\\$") else regex
    regex = regex[:-1] if regex.endswith("/?") else regex
    return re.sub(r"\\(.)", r"\1", regex) if REGEX_LITERAL.match(regex) else None


def walk(patterns, shown="/", path="/", localized=False):
    """All leaves: the pattern as written, the path if there is just one, and whether it has a language in it."""
    from django.urls import LocalePrefixPattern

    for entry in patterns:
        if isinstance(entry.pattern, LocalePrefixPattern):
            prefix = "" if not entry.pattern.prefix_default_language else None
            part, here = "<language>/" if prefix is None else "", True
        else:
            prefix = literal(entry.pattern)
            part, here = str(entry.pattern).lstrip("^"), localized
        full = None if path is None or prefix is None else path + prefix
        if hasattr(entry, "url_patterns"):
            for leaf in walk(entry.url_patterns, shown + part, full, here):
                yield leaf
        else:
            yield entry, shown + part, full, here


def is_reached(path, callback):
    """Whether the path leads to this view and not to one whose pattern comes earlier."""
    from django.urls import resolve

    return attempt(lambda: resolve(path).func is callback, default=False)


def views():
    from django.urls import get_resolver, get_script_prefix

    prefix = get_script_prefix().rstrip("/")
    classes = {id(find(path)): kind for path, kind in KINDS.items() if find(path) is not None}
    found = []
    for entry, shown, path, localized in walk(get_resolver().url_patterns):
        callback = entry.callback
        cls = getattr(callback, "cls", None) or getattr(callback, "view_class", None)
        if not inspect.isclass(cls):
            continue
        kind, base = next(((classes[id(parent)], parent) for parent in cls.__mro__ if id(parent) in classes), (None, None))
        if kind is None:
            if dotted(cls).startswith(LOGIN_PACKAGES):
                found.append({"kind": "other", "pattern": prefix + shown, "path": None, "class": dotted(cls)})
            continue
        initkwargs = dict(getattr(callback, "initkwargs", None) or getattr(callback, "view_initkwargs", None) or {})
        changed = [name for name in overrides(cls, base) if name not in POLICIES]
        changed += sorted(set(initkwargs) - POLICIES - SILENT)
        found.append(dict(
            policies(cls, initkwargs),
            kind=kind,
            pattern=prefix + shown,
            path=None if path is None or not is_reached(path, callback) else prefix + path,
            shadowed=path is not None and not is_reached(path, callback),
            localized=localized,
            overrides=changed,
            decorators=decorators(callback),
            serializer=serializer(cls, kind, initkwargs),
            **{"class": dotted(cls)},
        ))
    return found
