import { defineConfig } from 'drizzle-kit';

/** `npx drizzle-kit generate --name what-changed` writes the next migration; `db/migrate.ts` applies them. */
export default defineConfig({
  dialect: 'postgresql',
  schema: ['./db/schema.ts', './db/rollout-schema.ts', './db/recovery-schema.ts'],
  out: './db/migrations',
});
