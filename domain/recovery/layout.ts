/** Keys in a target, below its prefix. Every key is written once; nothing is an index that changes. */
import type { Digest } from '../artefacts.ts';

export const SETS_PREFIX = 'sets/';
export const ARTEFACTS_PREFIX = 'artefacts/';
/** Continuous WAL: `wal/<system identifier>/...`, laid out by the shipper. */
export const WAL_PREFIX = 'wal/';

export function setPrefix(setId: string): string {
  return `${SETS_PREFIX}${setId}/`;
}

/** Written last: what makes the set one. */
export function manifestKey(setId: string): string {
  return `${setPrefix(setId)}manifest.json`;
}

export function setFileKey(setId: string, name: string): string {
  return `${setPrefix(setId)}files/${name}`;
}

export function artefactKey(group: string, digest: Digest): string {
  return `${ARTEFACTS_PREFIX}${group}/${digest.slice(0, 2)}/${digest}`;
}

export function walPrefix(systemIdentifier: string): string {
  return `${WAL_PREFIX}${systemIdentifier}/`;
}
