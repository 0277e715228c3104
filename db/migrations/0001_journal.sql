CREATE TABLE "journal_positions" (
	"instance" uuid NOT NULL,
	"segment" integer NOT NULL,
	"shipped_bytes" bigint NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "journal_positions_instance_segment_pk" PRIMARY KEY("instance","segment")
);
