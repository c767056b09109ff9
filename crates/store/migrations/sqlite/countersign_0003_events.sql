-- Ours: what happened to logins, tokens and sessions.
CREATE TABLE "countersign_event" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "at" datetime NOT NULL, "kind" text NOT NULL, "user_id" text NULL, "account" text NULL, "address" text NULL, "agent" text NULL, "session" text NULL, "detail" text NULL);
CREATE INDEX "countersign_event_at" ON "countersign_event" ("at");
CREATE INDEX "countersign_event_user_id" ON "countersign_event" ("user_id");
CREATE INDEX "countersign_event_account" ON "countersign_event" ("account");
