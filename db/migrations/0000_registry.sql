CREATE TABLE "api_keys" (
	"id" uuid PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"prefix" text NOT NULL,
	"hash" text NOT NULL,
	"permissions" jsonb NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"expires_at" timestamp with time zone,
	"revoked_at" timestamp with time zone,
	CONSTRAINT "api_keys_hash_unique" UNIQUE("hash")
);
--> statement-breakpoint
CREATE TABLE "audit_log" (
	"id" bigserial PRIMARY KEY NOT NULL,
	"at" timestamp with time zone DEFAULT now() NOT NULL,
	"actor" text NOT NULL,
	"action" text NOT NULL,
	"subject" text NOT NULL,
	"reason" text,
	"details" jsonb NOT NULL,
	"change_id" text,
	CONSTRAINT "audit_log_change_id_unique" UNIQUE("change_id")
);
--> statement-breakpoint
CREATE TABLE "feedback" (
	"id" bigserial PRIMARY KEY NOT NULL,
	"request_id" uuid,
	"entity_id" text,
	"model" text NOT NULL,
	"label" text NOT NULL,
	"occurred_at" timestamp with time zone NOT NULL,
	"received_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "gate_reports" (
	"id" bigserial PRIMARY KEY NOT NULL,
	"model" text NOT NULL,
	"version" integer NOT NULL,
	"passed" boolean NOT NULL,
	"results" jsonb NOT NULL,
	"performance" jsonb NOT NULL,
	"run_id" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "gate_reports_run_id_unique" UNIQUE("run_id")
);
--> statement-breakpoint
CREATE TABLE "model_aliases" (
	"model" text NOT NULL,
	"alias" text NOT NULL,
	"version" integer NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_by" text NOT NULL,
	CONSTRAINT "model_aliases_model_alias_pk" PRIMARY KEY("model","alias")
);
--> statement-breakpoint
CREATE TABLE "model_versions" (
	"model" text NOT NULL,
	"version" integer NOT NULL,
	"status" text NOT NULL,
	"algorithm" text NOT NULL,
	"artefact_digest" text NOT NULL,
	"manifest_digest" text NOT NULL,
	"signature" jsonb NOT NULL,
	"evaluation" jsonb NOT NULL,
	"lineage" jsonb NOT NULL,
	"registered_by_run" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "model_versions_model_version_pk" PRIMARY KEY("model","version"),
	CONSTRAINT "model_versions_registered_by_run_unique" UNIQUE("registered_by_run")
);
--> statement-breakpoint
CREATE TABLE "models" (
	"name" text PRIMARY KEY NOT NULL,
	"definition" jsonb NOT NULL,
	"definition_digest" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "predictions" (
	"request_id" uuid NOT NULL,
	"created_at" timestamp with time zone NOT NULL,
	"model" text NOT NULL,
	"version" integer NOT NULL,
	"variant" text NOT NULL,
	"rollout_id" uuid,
	"entity_id" text,
	"features" jsonb NOT NULL,
	"probability" double precision NOT NULL,
	"label" text NOT NULL,
	"risk" text NOT NULL,
	"latency_ms" real NOT NULL,
	CONSTRAINT "predictions_request_id_created_at_pk" PRIMARY KEY("request_id","created_at")
) PARTITION BY RANGE ("created_at");
--> statement-breakpoint
-- Written by hand (with the clause above): takes rows of days that have no partition yet, see db/partitions.ts.
CREATE TABLE "predictions_default" PARTITION OF "predictions" DEFAULT;
--> statement-breakpoint
CREATE TABLE "rollouts" (
	"id" uuid PRIMARY KEY NOT NULL,
	"model" text NOT NULL,
	"candidate" integer NOT NULL,
	"champion" integer,
	"plan" jsonb NOT NULL,
	"phase" text NOT NULL,
	"snapshot" jsonb,
	"reason" text,
	"workflow_id" text NOT NULL,
	"run_id" text NOT NULL,
	"started_by" text NOT NULL,
	"started_at" timestamp with time zone DEFAULT now() NOT NULL,
	"finished_at" timestamp with time zone
);
--> statement-breakpoint
CREATE TABLE "routing" (
	"model" text PRIMARY KEY NOT NULL,
	"generation" integer NOT NULL,
	"salt" text NOT NULL,
	"rollout_id" uuid,
	"routes" jsonb NOT NULL,
	"slow_ms" real NOT NULL,
	"change_id" text NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "variant_counts" (
	"instance" uuid NOT NULL,
	"sequence" bigint NOT NULL,
	"model" text NOT NULL,
	"rollout_id" uuid,
	"variant" text NOT NULL,
	"version" integer NOT NULL,
	"window_start" timestamp with time zone NOT NULL,
	"requests" integer NOT NULL,
	"errors" integer NOT NULL,
	"slow" integer NOT NULL,
	"latency_sum_ms" double precision NOT NULL,
	CONSTRAINT "variant_counts_instance_sequence_pk" PRIMARY KEY("instance","sequence")
);
--> statement-breakpoint
ALTER TABLE "model_aliases" ADD CONSTRAINT "model_aliases_model_models_name_fk" FOREIGN KEY ("model") REFERENCES "public"."models"("name") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "model_versions" ADD CONSTRAINT "model_versions_model_models_name_fk" FOREIGN KEY ("model") REFERENCES "public"."models"("name") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "rollouts" ADD CONSTRAINT "rollouts_model_models_name_fk" FOREIGN KEY ("model") REFERENCES "public"."models"("name") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "routing" ADD CONSTRAINT "routing_model_models_name_fk" FOREIGN KEY ("model") REFERENCES "public"."models"("name") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "audit_log_by_subject" ON "audit_log" USING btree ("subject","at");--> statement-breakpoint
CREATE UNIQUE INDEX "feedback_by_request" ON "feedback" USING btree ("request_id") WHERE "feedback"."request_id" is not null;--> statement-breakpoint
CREATE INDEX "feedback_by_entity" ON "feedback" USING btree ("model","entity_id");--> statement-breakpoint
CREATE INDEX "gate_reports_by_version" ON "gate_reports" USING btree ("model","version");--> statement-breakpoint
CREATE INDEX "model_versions_created" ON "model_versions" USING btree ("model","created_at");--> statement-breakpoint
CREATE INDEX "predictions_by_entity" ON "predictions" USING btree ("model","entity_id","created_at");--> statement-breakpoint
CREATE INDEX "predictions_by_time" ON "predictions" USING btree ("model","created_at");--> statement-breakpoint
CREATE UNIQUE INDEX "rollouts_one_open_per_model" ON "rollouts" USING btree ("model") WHERE "rollouts"."finished_at" is null;--> statement-breakpoint
CREATE INDEX "rollouts_by_model" ON "rollouts" USING btree ("model","started_at");--> statement-breakpoint
CREATE INDEX "variant_counts_by_rollout" ON "variant_counts" USING btree ("rollout_id","window_start");