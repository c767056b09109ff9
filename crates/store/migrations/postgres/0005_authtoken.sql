-- rest_framework.authtoken, as DRF 3.18 leaves it.
CREATE TABLE "authtoken_token" (
    "key" character varying(40) NOT NULL,
    "created" timestamp with time zone NOT NULL,
    "user_id" integer NOT NULL,
    CONSTRAINT "authtoken_token_pkey" PRIMARY KEY (key),
    CONSTRAINT "authtoken_token_user_id_key" UNIQUE (user_id)
);
CREATE INDEX authtoken_token_key_10f0b77e_like ON authtoken_token USING btree (key varchar_pattern_ops);
ALTER TABLE "authtoken_token" ADD CONSTRAINT "authtoken_token_user_id_35299eff_fk_auth_user_id" FOREIGN KEY (user_id) REFERENCES auth_user(id) DEFERRABLE INITIALLY DEFERRED;
