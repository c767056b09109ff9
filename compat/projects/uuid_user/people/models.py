"""People of the clinic: a UUID, a phone number and a password; no groups, no staff, nobody inactive."""

import uuid

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models


class PersonManager(BaseUserManager):
    """Makes people."""

    def create_user(self, phone, password=None, **fields):
        person = self.model(phone=phone, **fields)
        person.set_password(password)
        person.save(using=self._db)
        return person


class Person(AbstractBaseUser):
    """Someone who can log in."""

    uid = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    phone = models.CharField(max_length=20, unique=True)
    name = models.CharField(max_length=200, blank=True)

    USERNAME_FIELD = "phone"

    objects = PersonManager()
