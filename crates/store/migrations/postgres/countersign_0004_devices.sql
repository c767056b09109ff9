-- Ours: tokens of our own kind, and where tokens of Django's tables are used. Without foreign keys, as our other tables.
CREATE TABLE "countersign_token" (
    "digest" text NOT NULL,
    "user_id" text NOT NULL,
    "name" text,
    "user_agent" text,
    "address" text,
    "created_at" timestamp with time zone NOT NULL,
    "expires_at" timestamp with time zone,
    "last_seen_at" timestamp with time zone,
    CONSTRAINT "countersign_token_pkey" PRIMARY KEY (digest)
);
CREATE INDEX countersign_token_user_id ON countersign_token USING btree (user_id);
CREATE INDEX countersign_token_expires_at ON countersign_token USING btree (expires_at);
CREATE TABLE "countersign_device" (
    "id" text NOT NULL,
    "user_id" text NOT NULL,
    "kind" text NOT NULL,
    "name" text,
    "user_agent" text,
    "address" text,
    "last_seen_at" timestamp with time zone,
    "keep_until" timestamp with time zone NOT NULL,
    CONSTRAINT "countersign_device_pkey" PRIMARY KEY (id)
);
CREATE INDEX countersign_device_user_id ON countersign_device USING btree (user_id);
CREATE INDEX countersign_device_keep_until ON countersign_device USING btree (keep_until);
