CREATE TABLE "platform_epoch" (
	"id" smallint PRIMARY KEY NOT NULL,
	"epoch" integer NOT NULL,
	"state" text NOT NULL,
	"reason" text NOT NULL,
	"changed_by" text NOT NULL,
	"since" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "recovery_drills" (
	"id" uuid PRIMARY KEY NOT NULL,
	"target" text NOT NULL,
	"set_id" text,
	"outcome" text NOT NULL,
	"started_at" timestamp with time zone DEFAULT now() NOT NULL,
	"finished_at" timestamp with time zone,
	"restore_ms" bigint,
	"loss_ms" bigint,
	"details" jsonb NOT NULL
);
--> statement-breakpoint
CREATE INDEX "recovery_drills_by_time" ON "recovery_drills" USING btree ("started_at");--> statement-breakpoint
INSERT INTO "platform_epoch" ("id", "epoch", "state", "reason", "changed_by") VALUES (1, 1, 'active', 'the platform was made', 'platform');--> statement-breakpoint
-- The fence: a control write shares the row's lock, so that whoever fences waits for the writes under way.
CREATE FUNCTION refuse_fenced_write() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	found_state text;
	found_epoch integer;
BEGIN
	SELECT state, epoch INTO found_state, found_epoch FROM platform_epoch WHERE id = 1 FOR SHARE;
	IF found_state IS DISTINCT FROM 'active' THEN
		RAISE EXCEPTION 'epoch % of this platform is fenced', found_epoch USING ERRCODE = 'SLFEN';
	END IF;
	RETURN NULL;
END
$$;--> statement-breakpoint
CREATE TRIGGER "routing_fence" BEFORE INSERT OR UPDATE OR DELETE ON "routing" FOR EACH STATEMENT EXECUTE FUNCTION refuse_fenced_write();--> statement-breakpoint
CREATE TRIGGER "model_aliases_fence" BEFORE INSERT OR UPDATE OR DELETE ON "model_aliases" FOR EACH STATEMENT EXECUTE FUNCTION refuse_fenced_write();--> statement-breakpoint
CREATE TRIGGER "rollouts_fence" BEFORE INSERT OR UPDATE OR DELETE ON "rollouts" FOR EACH STATEMENT EXECUTE FUNCTION refuse_fenced_write();
