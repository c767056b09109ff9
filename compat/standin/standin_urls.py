"""The paths of an adopted project, and `/api/whoami/`."""

import importlib

from django.conf import settings
from django.urls import path
from rest_framework.permissions import IsAuthenticated
from rest_framework.response import Response
from rest_framework.views import APIView


class Whoami(APIView):
    """Who the presented credential belongs to."""

    permission_classes = [IsAuthenticated]

    def get(self, request):
        kind = "token" if "Token" in type(request.successful_authenticator).__name__ else "jwt"
        return Response({"user_id": request.user.pk, "username": request.user.get_username(), "auth": kind})


urlpatterns = [
    *importlib.import_module(settings.STANDIN_URLS).urlpatterns,
    path("api/whoami/", Whoami.as_view()),
]
