"""What is served where; the authentication views have paths of this project's own, without slashes at the end."""

from django.urls import include, path
from rest_framework.authtoken.views import obtain_auth_token
from rest_framework_simplejwt import views as jwt

from .views import Orders

tokens = [
    path("/create", jwt.TokenObtainPairView.as_view()),
    path("/refresh", jwt.TokenRefreshView.as_view()),
    path("/verify", jwt.TokenVerifyView.as_view()),
    path("/blacklist", jwt.TokenBlacklistView.as_view()),
]

urlpatterns = [
    path("api/key", obtain_auth_token),
    path("api/jwt", include(tokens)),
    path("api/orders", Orders.as_view()),
]
