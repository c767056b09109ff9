-- Ours: sessions, and what became of each refresh token that was exchanged. Without foreign keys: Django deletes users and tokens
-- without knowing of these rows.
CREATE TABLE "countersign_session" (
    "sid" text NOT NULL,
    "user_id" text,
    "kind" text NOT NULL,
    "root_jti" text,
    "created_at" timestamp with time zone NOT NULL,
    "refreshed_at" timestamp with time zone NOT NULL,
    "expires_at" timestamp with time zone,
    "idle_expires_at" timestamp with time zone,
    "ended_at" timestamp with time zone,
    "end_reason" text,
    "device_name" text,
    "user_agent" text,
    "address" text,
    "last_seen_at" timestamp with time zone,
    "keep_until" timestamp with time zone NOT NULL,
    CONSTRAINT "countersign_session_pkey" PRIMARY KEY (sid)
);
CREATE INDEX countersign_session_user_id ON countersign_session USING btree (user_id);
CREATE INDEX countersign_session_keep_until ON countersign_session USING btree (keep_until);
CREATE TABLE "countersign_rotation" (
    "parent_jti" text NOT NULL,
    "sid" text NOT NULL,
    "child_jti" text NOT NULL,
    "rotated_at" timestamp with time zone NOT NULL,
    "child_iat" bigint NOT NULL,
    "child_exp" bigint NOT NULL,
    "access_exp" bigint NOT NULL,
    "expires_at" timestamp with time zone NOT NULL,
    CONSTRAINT "countersign_rotation_pkey" PRIMARY KEY (parent_jti),
    CONSTRAINT "countersign_rotation_child_jti_key" UNIQUE (child_jti)
);
CREATE INDEX countersign_rotation_sid ON countersign_rotation USING btree (sid);
CREATE INDEX countersign_rotation_expires_at ON countersign_rotation USING btree (expires_at);
