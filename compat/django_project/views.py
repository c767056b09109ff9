"""The protected resources, with the body Countersign gives them."""

from django.conf import settings
from django.utils.module_loading import import_string
from rest_framework.permissions import AllowAny, IsAdminUser, IsAuthenticated
from rest_framework.response import Response
from rest_framework.views import APIView

PERMISSIONS = {
    "is_authenticated": IsAuthenticated,
    "is_admin": IsAdminUser,
    "allow_any": AllowAny,
}


def kind_of(authenticator):
    """The configuration's name for the authentication class that let the request in."""
    if authenticator is None:
        return None
    dotted = f"{type(authenticator).__module__}.{type(authenticator).__name__}"
    return {path: kind for kind, path in settings.AUTHENTICATION_CLASSES.items()}[dotted]


class Whoami(APIView):
    """Who the presented credential belongs to."""

    permission_classes = [IsAuthenticated]

    def answer(self, request, *args, **kwargs):
        return Response(
            {
                "user_id": request.user.pk,
                "username": request.user.username,
                "auth": kind_of(request.successful_authenticator),
            }
        )

    get = answer


def protected(entry):
    """The view of one `[[protected]]` entry."""
    members = {
        "authentication_classes": [
            import_string(settings.AUTHENTICATION_CLASSES[kind])
            for kind in entry.get("authentication", settings.CHOICE["authentication"])
        ],
        "permission_classes": [PERMISSIONS[entry.get("permission", "is_authenticated")]],
    }
    if "throttles" in entry:
        members["throttle_classes"] = [import_string(dotted) for dotted in entry["throttles"]]
    if "throttle_scope" in entry:
        members["throttle_scope"] = entry["throttle_scope"]
    methods = entry.get("methods", ["GET"])
    members.update({method.lower(): Whoami.answer for method in methods})
    return type("Protected", (APIView,), members).as_view()
