-- Ours: from when on which tokens are refused, whatever they say of themselves. Each node keeps these rows in memory; a NOTIFY says that
-- there are new ones.
CREATE TABLE "countersign_revocation" (
    "id" bigserial NOT NULL,
    "kind" text NOT NULL,
    "subject" text NOT NULL,
    "not_before" bigint NOT NULL,
    "txid" bigint DEFAULT txid_current() NOT NULL,
    CONSTRAINT "countersign_revocation_pkey" PRIMARY KEY (id)
);
CREATE INDEX countersign_revocation_subject ON countersign_revocation USING btree (kind, subject, not_before);
CREATE INDEX countersign_revocation_not_before ON countersign_revocation USING btree (not_before, id);
CREATE INDEX countersign_revocation_txid ON countersign_revocation USING btree (txid);
CREATE RULE countersign_revocation_told AS ON INSERT TO countersign_revocation DO ALSO NOTIFY countersign_revocation;
CREATE INDEX countersign_session_created_at ON countersign_session USING btree (created_at);
