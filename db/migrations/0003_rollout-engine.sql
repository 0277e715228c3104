CREATE TABLE "outcomes" (
	"id" bigserial PRIMARY KEY NOT NULL,
	"model" text NOT NULL,
	"event" text NOT NULL,
	"value" double precision NOT NULL,
	"request_id" uuid,
	"entity_id" text,
	"occurred_at" timestamp with time zone NOT NULL,
	"received_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "platform_controls" (
	"name" text PRIMARY KEY NOT NULL,
	"active" boolean NOT NULL,
	"set_by" text NOT NULL,
	"reason" text NOT NULL,
	"set_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "rollout_looks" (
	"rollout_id" uuid NOT NULL,
	"look_at" timestamp with time zone NOT NULL,
	"step" integer NOT NULL,
	"phase" text NOT NULL,
	"weights" jsonb NOT NULL,
	"counts" jsonb NOT NULL,
	"verdict" jsonb NOT NULL,
	CONSTRAINT "rollout_looks_rollout_id_look_at_pk" PRIMARY KEY("rollout_id","look_at")
);
--> statement-breakpoint
CREATE TABLE "rollout_triggers" (
	"id" uuid PRIMARY KEY NOT NULL,
	"model" text,
	"kind" text NOT NULL,
	"reason" text NOT NULL,
	"raised_by" text NOT NULL,
	"raised_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "routing_history" (
	"model" text NOT NULL,
	"generation" integer NOT NULL,
	"salt" text NOT NULL,
	"rollout_id" uuid,
	"routes" jsonb NOT NULL,
	"changed_by" text NOT NULL,
	"reason" text NOT NULL,
	"evidence" jsonb,
	"valid_from" timestamp with time zone NOT NULL,
	"valid_to" timestamp with time zone,
	CONSTRAINT "routing_history_model_generation_pk" PRIMARY KEY("model","generation")
);
--> statement-breakpoint
CREATE TABLE "serving_instances" (
	"instance" uuid NOT NULL,
	"model" text NOT NULL,
	"generation" integer NOT NULL,
	"warm_versions" jsonb NOT NULL,
	"seen_at" timestamp with time zone NOT NULL,
	CONSTRAINT "serving_instances_instance_model_pk" PRIMARY KEY("instance","model")
);
--> statement-breakpoint
CREATE TABLE "shadow_counts" (
	"instance" uuid NOT NULL,
	"sequence" bigint NOT NULL,
	"model" text NOT NULL,
	"rollout_id" uuid,
	"version" integer NOT NULL,
	"window_start" timestamp with time zone NOT NULL,
	"pairs" integer NOT NULL,
	"disagreements" integer NOT NULL,
	"shadow_errors" integer NOT NULL,
	"dropped" integer NOT NULL,
	"score_diff_sum" double precision NOT NULL,
	"score_diff_sum_of_squares" double precision NOT NULL,
	"latency_diff_sum_ms" double precision NOT NULL,
	"latency_diff_sum_of_squares_ms" double precision NOT NULL,
	CONSTRAINT "shadow_counts_instance_sequence_pk" PRIMARY KEY("instance","sequence")
);
--> statement-breakpoint
CREATE TABLE "webhooks" (
	"id" uuid PRIMARY KEY NOT NULL,
	"target" text NOT NULL,
	"format" text NOT NULL,
	"sealed" text NOT NULL,
	"events" jsonb NOT NULL,
	"created_by" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"last_attempt_at" timestamp with time zone,
	"last_outcome" text
);
--> statement-breakpoint
ALTER TABLE "api_keys" ADD COLUMN "roles" jsonb DEFAULT '[]'::jsonb NOT NULL;--> statement-breakpoint
ALTER TABLE "variant_counts" ADD COLUMN "score_bins" integer[];--> statement-breakpoint
ALTER TABLE "routing_history" ADD CONSTRAINT "routing_history_model_models_name_fk" FOREIGN KEY ("model") REFERENCES "public"."models"("name") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE UNIQUE INDEX "outcomes_by_request" ON "outcomes" USING btree ("request_id","event") WHERE "outcomes"."request_id" is not null;--> statement-breakpoint
CREATE UNIQUE INDEX "outcomes_by_entity" ON "outcomes" USING btree ("model","entity_id","event","occurred_at") WHERE "outcomes"."request_id" is null;--> statement-breakpoint
CREATE INDEX "outcomes_by_time" ON "outcomes" USING btree ("model","event","occurred_at");--> statement-breakpoint
CREATE INDEX "rollout_triggers_by_time" ON "rollout_triggers" USING btree ("raised_at");--> statement-breakpoint
CREATE UNIQUE INDEX "routing_history_one_in_force" ON "routing_history" USING btree ("model") WHERE "routing_history"."valid_to" is null;--> statement-breakpoint
CREATE INDEX "routing_history_by_time" ON "routing_history" USING btree ("model","valid_from");--> statement-breakpoint
CREATE INDEX "routing_history_by_rollout" ON "routing_history" USING btree ("rollout_id");--> statement-breakpoint
CREATE INDEX "serving_instances_by_model" ON "serving_instances" USING btree ("model","seen_at");--> statement-breakpoint
CREATE INDEX "shadow_counts_by_rollout" ON "shadow_counts" USING btree ("rollout_id","window_start");--> statement-breakpoint
-- The ledger begins with the first routing ever applied: the audit log holds every one of them.
INSERT INTO "routing_history" ("model", "generation", "salt", "rollout_id", "routes", "changed_by", "reason", "valid_from", "valid_to")
SELECT "subject", "generation", "salt", "rollout_id", "routes", "actor", "reason", "valid_from",
	lead("valid_from") OVER (PARTITION BY "subject" ORDER BY "generation")
FROM (
	SELECT "subject", ("details" -> 'table' ->> 'generation')::int AS "generation", "details" -> 'table' ->> 'salt' AS "salt",
		("details" -> 'table' ->> 'rolloutId')::uuid AS "rollout_id", "details" -> 'table' -> 'routes' AS "routes",
		"actor", coalesce("reason", '') AS "reason",
		date_trunc('milliseconds', max("at") OVER (PARTITION BY "subject" ORDER BY ("details" -> 'table' ->> 'generation')::int)) AS "valid_from"
	FROM "audit_log" WHERE "action" = 'routing.apply'
) AS "applied"
ON CONFLICT DO NOTHING;
