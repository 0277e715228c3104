import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { Settings } from '../settings.ts';

interface Location {
  readonly url: string;
  readonly key: string | null;
}

/** What the supervisor writes for others to find it; more than this is in the file. */
const platformFile = z.object({ api: z.object({ url: z.string() }) });

/**
 * Where the platform is and what key to show it: what the command line says, else the environment, else what a
 * platform on this machine left in its folder.
 */
export async function locatePlatform(
  settings: Settings,
  given: { readonly url?: string; readonly key?: string },
): Promise<Location> {
  const named = given.url ?? settings.apiUrl;
  const url = named ?? (await runningHere(settings.home)) ?? settings.defaultUrl;
  const key = given.key ?? settings.apiKey;
  if (key !== null) return { url, key };
  // The first key of this machine's platform is an administrator's: it is never sent to another machine.
  const mayShowFirstKey = named === null || isLoopback(named);
  return { url, key: mayShowFirstKey ? await firstKey(settings.home) : null };
}

async function runningHere(home: string): Promise<string | null> {
  const parsed = platformFile.safeParse(parse(await readText(join(home, 'run', 'platform.json'))));
  return parsed.success ? parsed.data.api.url : null;
}

async function firstKey(home: string): Promise<string | null> {
  const text = (await readText(join(home, 'first-key')))?.trim() ?? '';
  return text === '' ? null : text;
}

function isLoopback(url: string): boolean {
  const { hostname } = new URL(url);
  return hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d+){3}$/.test(hostname);
}

async function readText(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8');
  } catch {
    // Absent, or another user's: then it says nothing.
    return null;
  }
}

function parse(text: string | null): unknown {
  try {
    return text === null ? null : JSON.parse(text);
  } catch {
    return null;
  }
}
