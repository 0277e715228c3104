import type { Command } from 'commander';
import type { ExitCode } from '../errors.ts';
import type { Runner } from '../session.ts';
import type { RestoreCommandOptions } from '../restore/options.ts';

const AFTER_HELP = `
Brings database, artefacts and routing back from a backup target. Works without a running platform: on an empty home,
with nothing but the target and the identity (the secret half of a recipient). Everything is put together and checked
beside what is there, and takes its place only when all of it is right.

--to  latest             everything that reached the target (default)
      2030-01-31T12:00Z  the state at that moment
      point:NAME         a named restore point

On a home that holds a database, or whose platform runs, --confirm must repeat what is replaced: the home's last folder.
A running platform restores itself, from one of its own targets (--target takes their names), and serves throughout.

Examples:
  sluice restore --target /mnt/backups --identity key.txt --preview
  sluice restore --target s3://bucket/sluice --identity key.txt
  sluice restore --to 2030-01-31T12:00:00Z --confirm .sluice
  sluice restore --to point:before-release-7 --confirm .sluice`;

export function registerRestore(program: Command, runner: Runner): void {
  program
    .command('restore')
    .description('bring the platform back from a backup')
    .option('--target <address>', 'folder, s3://, gs:// or azure:// address, or the name of a configured target')
    .option('--identity <file>', 'age identity that opens the backup (else SLUICE_BACKUP_IDENTITY_FILE)')
    .option('--signer <key>', 'accept only sets that this public key signed')
    .option('--to <what>', 'latest, a moment with its zone, or point:NAME', 'latest')
    .option('--preview', 'show what would be restored and change nothing')
    .option('--confirm <home>', 'name of the home that is replaced')
    .addHelpText('after', AFTER_HELP)
    .action((_: unknown, command: Command) =>
      runner.run(command, async (session): Promise<ExitCode> => {
        // Loaded here: no other command needs the database and the rest.
        const { restoreHome } = await import('../restore/restore-home.ts');
        return restoreHome(session, command.opts<RestoreCommandOptions>());
      }),
    );
}
