import { type Command, Option } from 'commander';
import type { ExitCode } from '../errors.ts';
import type { Runner, Session } from '../session.ts';
import type { BackupOptions } from '../backup/options.ts';
import type * as Work from '../backup/backup-work.ts';

type Body = (work: typeof Work, session: Session) => Promise<ExitCode | undefined>;

const AFTER_HELP = `
Sets lie in the targets of SLUICE_BACKUP_TARGETS, by default the folder backups of the home. list, show, verify,
prune, hold and status read the targets themselves, with or without a platform; now, drill, point and points need a
running one.

Examples:
  sluice backup now --label before-the-migration
  sluice backup list
  sluice backup verify 20300131T031700Z-0f3a9c1b --target s3
  sluice backup prune --dry-run
  sluice backup keygen > key.txt`;

export function registerBackup(program: Command, runner: Runner): void {
  const backup = program
    .command('backup')
    .helpCommand(false)
    .description('backup sets: make, list, verify, prune; drills')
    .addHelpText('after', AFTER_HELP);
  // Loaded here: no other command wants object stores and keys.
  const run = (body: Body) => (command: Command) =>
    runner.run(command, async (session) => body(await import('../backup/backup-work.ts'), session));
  registerSets(backup, run);
  registerUpkeep(backup, run);
  registerDrill(backup, run);
  registerPoints(backup, run);
}

type Run = (body: Body) => (command: Command) => Promise<void>;

const target = (): Option => new Option('--target <name>', 'one of the configured targets; else all, or the first');

function registerSets(backup: Command, run: Run): void {
  backup
    .command('now')
    .description('take a backup and wait for it')
    .option('--label <text>', 'a name for people')
    .option('--no-wait', 'only start it')
    .addHelpText('after', '\nExample:\n  sluice backup now --label before-the-migration')
    .action((options: BackupOptions, command: Command) =>
      run((work, session) => work.backUpNow(session, options))(command),
    );
  backup
    .command('list')
    .description('sets in each target, newest first')
    .addOption(target())
    .addHelpText('after', '\nExample:\n  sluice backup list')
    .action((options: BackupOptions, command: Command) => run((work, session) => work.list(session, options))(command));
  backup
    .command('show')
    .description('the manifest of a set')
    .argument('<set>', 'id of the set')
    .addOption(target())
    .addHelpText('after', '\nExample:\n  sluice backup show 20300131T031700Z-0f3a9c1b --json')
    .action((set: string, options: BackupOptions, command: Command) =>
      run((work, session) => work.show(session, set, options))(command),
    );
  backup
    .command('verify')
    .description('read every byte of a set and name what is wrong')
    .argument('[set]', 'id of the set; else the newest')
    .addOption(target())
    .addHelpText('after', '\nExit code 4: something is wrong.\n\nExample:\n  sluice backup verify')
    .action((set: string | undefined, options: BackupOptions, command: Command) =>
      run((work, session) => work.verify(session, set ?? null, options))(command),
    );
}

function registerDrill(backup: Command, run: Run): void {
  backup
    .command('drill')
    .description('restore the newest state beside what is in use, check it, throw it away')
    .addOption(new Option('--target <name>', 'one of the configured targets; else the first'))
    .addHelpText('after', '\nThe platform does so every week by itself.\n\nExample:\n  sluice backup drill')
    .action((options: BackupOptions, command: Command) =>
      run((work, session) => work.drill(session, options))(command),
    );
}

function registerPoints(backup: Command, run: Run): void {
  backup
    .command('point')
    .description('name this moment, to restore to it')
    .argument('<name>', 'letters, digits, dots, dashes and underscores; given once')
    .addHelpText(
      'after',
      '\nNeeds a target that the log is shipped to.\n\nExample:\n  sluice backup point before-release-7',
    )
    .action((name: string, _: unknown, command: Command) => run((work, session) => work.point(session, name))(command));
  backup
    .command('points')
    .description('restore points in each target, newest first')
    .addHelpText('after', '\nExample:\n  sluice backup points')
    .action((_: unknown, command: Command) => run((work, session) => work.points(session))(command));
}

function registerUpkeep(backup: Command, run: Run): void {
  backup
    .command('prune')
    .description('remove the sets that the retention lets go')
    .addOption(target())
    .option('--dry-run', 'only say which')
    .addHelpText('after', '\nExample:\n  sluice backup prune --dry-run')
    .action((options: BackupOptions, command: Command) =>
      run((work, session) => work.prune(session, options))(command),
    );
  backup
    .command('hold')
    .description('keep a set whatever the retention says')
    .argument('<set>', 'id of the set')
    .argument('[reason]', 'why; without one the hold is lifted')
    .addOption(target())
    .addHelpText('after', '\nExample:\n  sluice backup hold 20300131T031700Z-0f3a9c1b "audit of 2030"')
    .action((set: string, reason: string | undefined, options: BackupOptions, command: Command) =>
      run((work, session) => work.hold(session, set, reason ?? null, options))(command),
    );
  backup
    .command('status')
    .description('newest verified set of each target, against the objectives')
    .addHelpText(
      'after',
      '\nExit code 4: a target has no verified set of the last 36 hours.\n\nExample:\n  sluice backup status',
    )
    .action((_: unknown, command: Command) => run((work, session) => work.status(session))(command));
  backup
    .command('keygen')
    .description('make an identity, and the recipient to encrypt for')
    .addHelpText(
      'after',
      '\nKeep the identity away from this machine: without it the backups are lost.\n\nExample:\n  sluice backup keygen',
    )
    .action((_: unknown, command: Command) => run((work, session) => work.keygen(session))(command));
}
