import { describe, expect, it } from 'vitest';
import { readBackupConfig } from '../../../adapters/backup-config.ts';

const MB = 1024 * 1024;

describe('what a backup reads in a second at most', () => {
  it('is 64 MB, or what is said', () => {
    expect(readBackupConfig({}, '/home').rateMaxBytes).toBe(32 * MB);
    expect(readBackupConfig({ SLUICE_BACKUP_RATE_MB: '' }, '/home').rateMaxBytes).toBe(32 * MB);
    expect(readBackupConfig({ SLUICE_BACKUP_RATE_MB: '100' }, '/home').rateMaxBytes).toBe(100 * MB);
  });

  it.each(['0', '1025', 'fast', '2.5'])('is not %s', (value) => {
    expect(() => readBackupConfig({ SLUICE_BACKUP_RATE_MB: value }, '/home')).toThrow(
      expect.objectContaining({ problems: [expect.objectContaining({ field: 'SLUICE_BACKUP_RATE_MB' })] }),
    );
  });
});
