"""What is served where; the authentication views have paths of this project's own."""

from django.urls import path, re_path
from rest_framework.authtoken.views import obtain_auth_token
from rest_framework_simplejwt import views as jwt

from .views import Appointments

urlpatterns = [
    path("clinic/token/", obtain_auth_token),
    path("clinic/jwt/", jwt.TokenObtainPairView.as_view()),
    re_path(r"^clinic/jwt/refresh/$", jwt.TokenRefreshView.as_view()),
    path("clinic/jwt/verify/", jwt.TokenVerifyView.as_view()),
    path("clinic/jwt/revoke/", jwt.TokenBlacklistView.as_view()),
    path("clinic/appointments/", Appointments.as_view()),
]
