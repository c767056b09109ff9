"""What is served where; the authentication views have paths of this project's own."""

from django.contrib import admin
from django.urls import include, path
from knox import views as knox
from rest_framework.authtoken.views import obtain_auth_token
from rest_framework_simplejwt import views as jwt

from .views import Basket

authentication = [
    path("login/", obtain_auth_token),
    path("jwt/create/", jwt.TokenObtainPairView.as_view()),
    path("jwt/refresh/", jwt.TokenRefreshView.as_view()),
    path("jwt/verify/", jwt.TokenVerifyView.as_view()),
    path("jwt/logout/", jwt.TokenBlacklistView.as_view()),
    path("device/", knox.LoginView.as_view()),
    path("device/end/", knox.LogoutView.as_view()),
    path("device/end-all/", knox.LogoutAllView.as_view()),
]

urlpatterns = [
    path("admin/", admin.site.urls),
    path("auth/", include(authentication)),
    path("shop/basket/", Basket.as_view()),
]
