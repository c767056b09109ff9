"""What is served where; the authentication views have paths of this project's own."""

from django.contrib import admin
from django.urls import path
from rest_framework.authtoken import views as authtoken
from rest_framework_simplejwt import views as jwt

from .views import Membership

urlpatterns = [
    path("admin/", admin.site.urls),
    path("api/v1/key/", authtoken.ObtainAuthToken.as_view(), name="key"),
    path("api/v1/session/", jwt.token_obtain_pair, name="session"),
    path("api/v1/session/renew/", jwt.token_refresh),
    path("api/v1/session/check/", jwt.token_verify),
    path("api/v1/session/end/", jwt.token_blacklist),
    path("api/v1/membership/", Membership.as_view()),
]
