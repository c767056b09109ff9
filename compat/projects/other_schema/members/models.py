"""Members, in a table of the schema `people`."""

from django.contrib.auth.models import AbstractUser


class Member(AbstractUser):
    """Django's user in another place."""

    class Meta:
        db_table = 'people"."member'
