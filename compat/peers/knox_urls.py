"""The paths that Knox's tests ask for; their project is not in the published archive."""

from django.urls import include, path
from rest_framework.views import APIView

urlpatterns = [path("api/", include("knox.urls")), path("", APIView.as_view(), name="api-root")]
