-- django.contrib.sessions, as Django 5.2 leaves it.
-- SQLite keeps these texts in sqlite_master; a test compares them with those of a database made by Django.
CREATE TABLE "django_session" ("session_key" varchar(40) NOT NULL PRIMARY KEY, "session_data" text NOT NULL, "expire_date" datetime NOT NULL);
CREATE INDEX "django_session_expire_date_a5c62663" ON "django_session" ("expire_date");
