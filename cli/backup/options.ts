export interface BackupOptions {
  readonly target?: string;
  readonly label?: string;
  readonly wait?: boolean;
  readonly dryRun?: true;
}
