"""The paths of a project, and those that Countersign adds: `/api/whoami/`, `/healthz`, `/readyz`."""

import importlib

from django.conf import settings
from django.db import Error, connection
from django.http import HttpResponse
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


def alive(_request):
    """200 while the process lives."""
    return HttpResponse()


def ready(_request):
    """200 when the database answers, else 503."""
    try:
        connection.ensure_connection()
        connection.cursor().execute("SELECT 1")
    except Error:
        return HttpResponse(status=503)
    return HttpResponse()


urlpatterns = [
    *importlib.import_module(settings.STANDIN_URLS).urlpatterns,
    path("api/whoami/", Whoami.as_view()),
    path("healthz", alive),
    path("readyz", ready),
]
