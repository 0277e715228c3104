/** Entry of the workflow bundle: what a worker can run. */
export { backupPlatform } from './backup-platform.ts';
export { failoverRegion } from './failover-region.ts';
export { recoveryDrill } from './recovery-drill.ts';
export { restorePlatform } from './restore-platform.ts';
export { rolloutGroup } from './rollout-group.ts';
export { rolloutModel } from './rollout-model.ts';
export { sendNotice } from './send-notice.ts';
export { trainModel } from './train-model.ts';
export { validateModel } from './validate-model.ts';
export { verifyBackup } from './verify-backup.ts';
