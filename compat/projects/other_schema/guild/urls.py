"""What is served where; the authentication views have paths of this project's own."""

from django.urls import path
from rest_framework.authtoken.views import obtain_auth_token
from rest_framework_simplejwt import views as jwt

from .views import Works

urlpatterns = [
    path("guild/door/key/", obtain_auth_token),
    path("guild/door/", jwt.TokenObtainPairView.as_view()),
    path("guild/door/again/", jwt.TokenRefreshView.as_view()),
    path("guild/door/look/", jwt.TokenVerifyView.as_view()),
    path("guild/door/leave/", jwt.TokenBlacklistView.as_view()),
    path("guild/works/", Works.as_view()),
]
