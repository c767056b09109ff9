-- Ours: the key ladder, and who was seen with tokens of keys that are on their way out. The private parts are sealed.
CREATE TABLE "countersign_key" (
    "kid" text NOT NULL,
    "algorithm" text NOT NULL,
    "state" text NOT NULL,
    "share" bigint NOT NULL,
    "sealed" text NOT NULL,
    "created_at" timestamp with time zone NOT NULL,
    "changed_at" timestamp with time zone NOT NULL,
    CONSTRAINT "countersign_key_pkey" PRIMARY KEY (kid)
);
CREATE TABLE "countersign_key_use" (
    "kid" text NOT NULL,
    "client" text NOT NULL,
    "tokens" bigint NOT NULL,
    "seen_at" timestamp with time zone NOT NULL,
    CONSTRAINT "countersign_key_use_pkey" PRIMARY KEY (kid, client)
);
