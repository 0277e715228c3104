import { Client } from 'pg';

/** One statement on a connection of its own, which lasts no longer. */
export async function query<T extends Record<string, unknown>>(
  databaseUrl: string,
  text: string,
): Promise<readonly T[]> {
  const client = new Client({ connectionString: databaseUrl });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return (await client.query<T>(text)).rows;
  } finally {
    await client.end();
  }
}
