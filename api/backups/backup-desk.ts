/** What the routes of backups ask for; the same use-cases as those of the command line. All reject with `DomainError`. */
import type { DrillRow } from '../../db/recovery-store.ts';
import type { BackupStatus } from '../../recovery/catalogue/backup-status.ts';
import type { ListedSet, ShownSet } from '../../recovery/catalogue/list-sets.ts';
import type { ListedPoint } from '../../recovery/catalogue/restore-points.ts';

export interface BackupDesk {
  /** Newest first. */
  list(target?: string): Promise<readonly ListedSet[]>;
  show(setId: string, target?: string): Promise<ShownSet>;
  status(): Promise<BackupStatus>;
  /** Name of the first target that has the set. */
  holder(setId: string, target?: string): Promise<string>;
  /** `null` lifts the hold. @returns names of the targets */
  hold(setId: string, reason: string | null, target?: string): Promise<readonly string[]>;
  points(): Promise<readonly ListedPoint[]>;
  createPoint(name: string): Promise<ListedPoint>;
  /** Name of the target, or of the first one. @throws DomainError `notFound` with the names there are */
  requireTarget(target?: string): Promise<string>;
  /** Newest first. */
  drills(limit: number): Promise<readonly DrillRow[]>;
}

/** A desk that is loaded with the first call: predictions need none of it. */
export function deferBackupDesk(load: () => Promise<BackupDesk>): BackupDesk {
  let loading: Promise<BackupDesk> | null = null;
  const loaded = (): Promise<BackupDesk> => (loading ??= load());
  return {
    list: async (target) => (await loaded()).list(target),
    show: async (setId, target) => (await loaded()).show(setId, target),
    status: async () => (await loaded()).status(),
    holder: async (setId, target) => (await loaded()).holder(setId, target),
    hold: async (setId, reason, target) => (await loaded()).hold(setId, reason, target),
    points: async () => (await loaded()).points(),
    createPoint: async (name) => (await loaded()).createPoint(name),
    requireTarget: async (target) => (await loaded()).requireTarget(target),
    drills: async (limit) => (await loaded()).drills(limit),
  };
}
