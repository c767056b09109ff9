-- django.contrib.contenttypes, as Django 5.2 leaves it.
-- SQLite keeps these texts in sqlite_master; a test compares them with those of a database made by Django.
CREATE TABLE "django_content_type" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "app_label" varchar(100) NOT NULL, "model" varchar(100) NOT NULL);
CREATE UNIQUE INDEX "django_content_type_app_label_model_76bd3d3b_uniq" ON "django_content_type" ("app_label", "model");
