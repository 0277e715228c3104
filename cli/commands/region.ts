import type { Command } from 'commander';
import type { ExitCode } from '../errors.ts';
import type { RegionOptions } from '../region/options.ts';
import type * as Work from '../region/region-work.ts';
import type { Runner, Session } from '../session.ts';

const AFTER_HELP = `
Two platforms share a backup target: one takes control writes, the other follows it and can take its place.
SLUICE_REGION names this one; SLUICE_REGION_ROLE=standby makes a new home a standby.

Examples:
  sluice region status
  sluice region failover --confirm west
  sluice region follow --confirm east`;

export function registerRegion(program: Command, runner: Runner): void {
  const region = program
    .command('region')
    .helpCommand(false)
    .description('a second region: status, failover and the way back')
    .addHelpText('after', AFTER_HELP);
  // Loaded here: no other command wants object stores and keys.
  const run = (command: Command, body: (work: typeof Work, session: Session) => Promise<ExitCode | undefined>) =>
    runner.run(command, async (session) => body(await import('../region/region-work.ts'), session));
  region
    .command('status')
    .description('which region takes control writes, and how far the standby is')
    .addHelpText('after', '\nExit code 4: nobody takes control writes.\n\nExample:\n  sluice region status')
    .action((_: unknown, command: Command) => run(command, (work, session) => work.status(session)));
  region
    .command('failover')
    .description('let the standby of this home take over, and wait for it')
    .option('--confirm <region>', 'name of this region')
    .option('--reason <text>', 'for the audit')
    .option('--no-wait', 'only start it')
    .addHelpText('after', '\nExample:\n  sluice region failover --confirm west')
    .action((options: RegionOptions, command: Command) =>
      run(command, (work, session) => work.failover(session, options)),
    );
  region
    .command('follow')
    .description('make this home, which does not run, a standby of the region that owns the epoch')
    .option('--confirm <region>', 'name of this region: its database is replaced')
    .addHelpText('after', '\nExample:\n  sluice region follow --confirm east')
    .action((options: RegionOptions, command: Command) =>
      run(command, (work, session) => work.follow(session, options)),
    );
  region
    .command('leave')
    .description('let the database of this home take control writes without a region')
    .option('--confirm <region>', 'name of this region: the other one must not run any more')
    .addHelpText('after', '\nExample:\n  sluice region leave --confirm east')
    .action((options: RegionOptions, command: Command) =>
      run(command, (work, session) => work.leave(session, options)),
    );
}
