/** Runs the commands of a runbook as they are written there, with the names of this test in place of the examples. */
import { runCli } from '../support/platform.ts';
import { page } from '../unit/docs/support/pages.ts';
import { commandsOf, sluiceArguments } from '../unit/docs/support/shell.ts';

export interface RunbookPlaces {
  readonly env: NodeJS.ProcessEnv;
  /** What stands in the page, and what it is here. */
  readonly instead: Readonly<Record<string, string>>;
  /** Instead of `sluice up`, which stays. */
  readonly up: () => Promise<unknown>;
  /** Commands that ask a platform that runs: `true` when it was done. */
  readonly ask?: (args: readonly string[]) => Promise<boolean>;
}

/**
 * @returns the commands that were run, without `sluice`
 * @throws Error with the output of the first one that fails
 */
export async function runRunbook(name: string, places: RunbookPlaces): Promise<readonly string[]> {
  const done: string[] = [];
  const blocks = page(`docs/runbooks/${name}.md`).blocks.filter(({ language }) => language === 'sh');
  for (const words of blocks.flatMap(({ text }) => text.split('\n').flatMap((line) => commandsOf(line)))) {
    const args = sluiceArguments(words)?.map((word) => places.instead[word] ?? word);
    if (args === undefined) throw new Error(`${name} has a command that is not of sluice: ${words.join(' ')}`);
    if (args[0] === 'up') await places.up();
    else if (args[0] === 'restore') await run(args, places.env);
    else if ((await places.ask?.(args)) !== true) continue;
    done.push(
      args
        .slice(0, 1)
        .concat(args.filter((arg) => arg.startsWith('--')))
        .join(' '),
    );
  }
  return done;
}

async function run(args: readonly string[], env: NodeJS.ProcessEnv): Promise<void> {
  const { code, stdout, stderr } = await runCli(args, env);
  if (code !== 0) throw new Error(`sluice ${args.join(' ')} ended with ${String(code)}:\n${stdout}${stderr}`);
}
