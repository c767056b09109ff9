-- Ours: tokens of our own kind, and where tokens of Django's tables are used. Without foreign keys, as our other tables.
CREATE TABLE "countersign_token" ("digest" text NOT NULL PRIMARY KEY, "user_id" text NOT NULL, "name" text NULL, "user_agent" text NULL, "address" text NULL, "created_at" datetime NOT NULL, "expires_at" datetime NULL, "last_seen_at" datetime NULL);
CREATE INDEX "countersign_token_user_id" ON "countersign_token" ("user_id");
CREATE INDEX "countersign_token_expires_at" ON "countersign_token" ("expires_at");
CREATE TABLE "countersign_device" ("id" text NOT NULL PRIMARY KEY, "user_id" text NOT NULL, "kind" text NOT NULL, "name" text NULL, "user_agent" text NULL, "address" text NULL, "last_seen_at" datetime NULL, "keep_until" datetime NOT NULL);
CREATE INDEX "countersign_device_user_id" ON "countersign_device" ("user_id");
CREATE INDEX "countersign_device_keep_until" ON "countersign_device" ("keep_until");
