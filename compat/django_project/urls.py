"""The paths Countersign serves by default, and the protected ones the test asked for."""

from django.apps import apps
from django.contrib import admin
from django.conf import settings
from django.urls import path
from rest_framework_simplejwt import views as jwt
from views import Whoami, protected

urlpatterns = [
    path("admin/", admin.site.urls),
    path("api/token/", jwt.token_obtain_pair),
    path("api/token/refresh/", jwt.token_refresh),
    path("api/token/verify/", jwt.token_verify),
    path("api/token/sliding/", jwt.token_obtain_sliding),
    path("api/token/sliding/refresh/", jwt.token_refresh_sliding),
    path("api/whoami/", Whoami.as_view()),
]

if apps.is_installed("rest_framework.authtoken"):
    from rest_framework.authtoken.views import obtain_auth_token

    urlpatterns.append(path("api-token-auth/", obtain_auth_token))

if apps.is_installed("rest_framework_simplejwt.token_blacklist"):
    urlpatterns.append(path("api/token/blacklist/", jwt.token_blacklist))

if apps.is_installed("knox"):
    from knox import views as knox

    urlpatterns += [
        path("knox/login/", knox.LoginView.as_view()),
        path("knox/logout/", knox.LogoutView.as_view()),
        path("knox/logoutall/", knox.LogoutAllView.as_view()),
    ]

urlpatterns += [
    path(entry["path"].lstrip("/"), protected(entry)) for entry in settings.CHOICE["protected"]
]
