-- Ours: from when on which tokens are refused, whatever they say of themselves. Each node keeps these rows in memory.
CREATE TABLE "countersign_revocation" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "kind" text NOT NULL, "subject" text NOT NULL, "not_before" bigint NOT NULL);
CREATE INDEX "countersign_revocation_subject" ON "countersign_revocation" ("kind", "subject", "not_before");
CREATE INDEX "countersign_revocation_not_before" ON "countersign_revocation" ("not_before", "id");
CREATE INDEX "countersign_session_created_at" ON "countersign_session" ("created_at");
