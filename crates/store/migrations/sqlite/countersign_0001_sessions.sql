-- Ours: sessions, and what became of each refresh token that was exchanged. Without foreign keys: Django deletes users and tokens
-- without knowing of these rows.
CREATE TABLE "countersign_session" ("sid" text NOT NULL PRIMARY KEY, "user_id" text NULL, "kind" text NOT NULL, "root_jti" text NULL, "created_at" datetime NOT NULL, "refreshed_at" datetime NOT NULL, "expires_at" datetime NULL, "idle_expires_at" datetime NULL, "ended_at" datetime NULL, "end_reason" text NULL, "device_name" text NULL, "user_agent" text NULL, "address" text NULL, "last_seen_at" datetime NULL, "keep_until" datetime NOT NULL);
CREATE INDEX "countersign_session_user_id" ON "countersign_session" ("user_id");
CREATE INDEX "countersign_session_keep_until" ON "countersign_session" ("keep_until");
CREATE TABLE "countersign_rotation" ("parent_jti" text NOT NULL PRIMARY KEY, "sid" text NOT NULL, "child_jti" text NOT NULL UNIQUE, "rotated_at" datetime NOT NULL, "child_iat" bigint NOT NULL, "child_exp" bigint NOT NULL, "access_exp" bigint NOT NULL, "expires_at" datetime NOT NULL);
CREATE INDEX "countersign_rotation_sid" ON "countersign_rotation" ("sid");
CREATE INDEX "countersign_rotation_expires_at" ON "countersign_rotation" ("expires_at");
