"""Users in the table of the older program, column for column."""

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.db import models


class AppUserManager(BaseUserManager):
    """Makes users."""

    def create_user(self, login, password=None, **fields):
        user = self.model(login=login, **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, login, password=None, **fields):
        return self.create_user(login, password, **{"is_staff": True, "is_superuser": True, **fields})


class AppUser(AbstractBaseUser, PermissionsMixin):
    """Someone who can log in."""

    id = models.BigAutoField(primary_key=True, db_column="UserID")
    login = models.CharField(max_length=80, unique=True, db_column="LoginName")
    password = models.CharField("password", max_length=128, db_column="PassWord")
    last_login = models.DateTimeField("last login", blank=True, null=True, db_column="Last Login")
    is_active = models.BooleanField(default=True, db_column="IsActive")
    is_staff = models.BooleanField(default=False, db_column="IsStaff")

    USERNAME_FIELD = "login"

    objects = AppUserManager()

    class Meta:
        db_table = "AppUsers"
