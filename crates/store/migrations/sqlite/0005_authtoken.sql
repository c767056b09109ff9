-- rest_framework.authtoken, as DRF 3.18 leaves it.
-- SQLite keeps these texts in sqlite_master; a test compares them with those of a database made by Django.
CREATE TABLE "authtoken_token" ("key" varchar(40) NOT NULL PRIMARY KEY, "created" datetime NOT NULL, "user_id" integer NOT NULL UNIQUE REFERENCES "auth_user" ("id") DEFERRABLE INITIALLY DEFERRED);
