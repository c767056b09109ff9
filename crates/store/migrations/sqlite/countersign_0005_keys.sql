-- Ours: the key ladder, and who was seen with tokens of keys that are on their way out. The private parts are sealed.
CREATE TABLE "countersign_key" ("kid" text NOT NULL PRIMARY KEY, "algorithm" text NOT NULL, "state" text NOT NULL, "share" bigint NOT NULL, "sealed" text NOT NULL, "created_at" datetime NOT NULL, "changed_at" datetime NOT NULL);
CREATE TABLE "countersign_key_use" ("kid" text NOT NULL, "client" text NOT NULL, "tokens" bigint NOT NULL, "seen_at" datetime NOT NULL, PRIMARY KEY ("kid", "client"));
