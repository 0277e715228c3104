ALTER TABLE "platform_epoch" ADD COLUMN "region" text;--> statement-breakpoint
-- Without a log: neither a standby nor a restored copy has it, and a server that was killed begins without a lease.
CREATE UNLOGGED TABLE "region_lease" (
	"id" smallint PRIMARY KEY NOT NULL CHECK ("id" = 1),
	"region" text NOT NULL,
	"epoch" integer NOT NULL,
	"valid_until" timestamp with time zone NOT NULL
);--> statement-breakpoint
CREATE FUNCTION refuse_without_lease() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	own_region text;
	lease record;
BEGIN
	SELECT region INTO own_region FROM platform_epoch WHERE id = 1;
	-- Whoever begins an epoch works on a database that nobody else uses yet.
	IF own_region IS NULL OR current_setting('sluice.begins_epoch', true) = 'on' THEN
		RETURN;
	END IF;
	SELECT region, epoch, valid_until INTO lease FROM region_lease WHERE id = 1;
	IF lease.region IS NULL THEN
		RAISE EXCEPTION 'region % does not hold the lease', own_region USING ERRCODE = 'SLFEN';
	ELSIF lease.region <> own_region THEN
		RAISE EXCEPTION 'region % owns epoch %, not region %', lease.region, lease.epoch, own_region USING ERRCODE = 'SLFEN';
	ELSIF lease.valid_until <= clock_timestamp() THEN
		RAISE EXCEPTION 'the lease of region % has run out (epoch %)', own_region, lease.epoch USING ERRCODE = 'SLFEN';
	END IF;
END
$$;--> statement-breakpoint
CREATE OR REPLACE FUNCTION refuse_fenced_write() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	found_state text;
	found_epoch integer;
BEGIN
	SELECT state, epoch INTO found_state, found_epoch FROM platform_epoch WHERE id = 1 FOR SHARE;
	IF found_state IS DISTINCT FROM 'active' THEN
		RAISE EXCEPTION 'epoch % of this platform is fenced', found_epoch USING ERRCODE = 'SLFEN';
	END IF;
	PERFORM refuse_without_lease();
	RETURN NULL;
END
$$;--> statement-breakpoint
-- Asked once more when the transaction commits: it may have begun long ago.
CREATE FUNCTION refuse_late_write() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	PERFORM refuse_without_lease();
	RETURN NULL;
END
$$;--> statement-breakpoint
CREATE CONSTRAINT TRIGGER "routing_lease" AFTER INSERT OR UPDATE OR DELETE ON "routing" DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse_late_write();--> statement-breakpoint
CREATE CONSTRAINT TRIGGER "model_aliases_lease" AFTER INSERT OR UPDATE OR DELETE ON "model_aliases" DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse_late_write();--> statement-breakpoint
CREATE CONSTRAINT TRIGGER "rollouts_lease" AFTER INSERT OR UPDATE OR DELETE ON "rollouts" DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse_late_write();--> statement-breakpoint
-- A training that another region's owner does not know registers nothing here. Restores fence these tables not: they end the writers.
CREATE FUNCTION refuse_foreign_registration() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	PERFORM refuse_without_lease();
	RETURN NULL;
END
$$;--> statement-breakpoint
CREATE TRIGGER "model_versions_lease" BEFORE INSERT OR UPDATE OR DELETE ON "model_versions" FOR EACH STATEMENT EXECUTE FUNCTION refuse_foreign_registration();--> statement-breakpoint
CREATE TRIGGER "models_lease" BEFORE INSERT OR UPDATE OR DELETE ON "models" FOR EACH STATEMENT EXECUTE FUNCTION refuse_foreign_registration();
