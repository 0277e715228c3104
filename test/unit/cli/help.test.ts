import type { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { createProgram } from '../../../cli/program.ts';
import { runInside } from './support/run-cli.ts';

const program = createProgram({ run: () => Promise.resolve(), exitCode: () => 0 }, { json: false, streams: process });

function withPaths(command: Command, path: readonly string[]): { path: readonly string[]; command: Command }[] {
  return [{ path, command }, ...command.commands.flatMap((child) => withPaths(child, [...path, child.name()]))];
}

const all = withPaths(program, []);
const leaves = all.filter(({ command }) => command.commands.length === 0);

describe('help', () => {
  it('lists every command with its arguments and options', () => {
    const lines = leaves.map(({ path, command }) => {
      const options = command.options.map((option) => option.flags);
      return `${path.join(' ')} ${command.usage().replace('[options] ', '')} | ${options.join(', ')}`;
    });
    expect(lines).toMatchInlineSnapshot(`
      [
        "up [options] | ",
        "status [options] | ",
        "init <data> | --target <column>, --positive <value>, --entity <column>, --name <name>, --out <file>, --force",
        "train <model> | --seed <number>, --algorithm <name...>, --rollout [strategy], --no-wait",
        "models list [options] | ",
        "models show <model> | --version <number>",
        "models apply <file> | ",
        "models release <model> | --version <number>, --reason <text>",
        "models import <file> | --model <name>, --signature <file>, --samples <file>, --rollout [strategy]",
        "rollout start <model> | --version <number>, --strategy <name>, --bake <duration>, --min-requests <number>, --keep-warm <duration>, --plan <file>, --reason <text>, --watch",
        "rollout status <rollout> | ",
        "rollout watch <rollout> | --until-full",
        "rollout list [options] | --model <name>, --limit <number>",
        "rollout plan <model> | --strategy <name>, --requests-per-second <number>",
        "rollout backtest <rollout> | --strategy <name>",
        "rollout approve <rollout> | --role <role>, --evidence <hash>, --reject, --reason <text>, --yes",
        "rollout report <rollout> | --format <format>, --out <file>",
        "rollout promote <rollout> | --reason <text>, --yes",
        "rollout pause <rollout> | --reason <text>, --yes",
        "rollout resume <rollout> | --reason <text>, --yes",
        "rollout freeze <rollout> | --reason <text>, --yes",
        "rollout skip-bake <rollout> | --reason <text>, --yes",
        "rollout abort <rollout> | --reason <text>, --yes",
        "rollout rollback <rollout> | --reason <text>, --yes",
        "ledger <model> | --at <time>, --from <time>, --to <time>, --limit <number>",
        "stop-the-line on [options] | --reason <text>",
        "stop-the-line off [options] | --reason <text>",
        "stop-the-line status [options] | ",
        "trigger [model] | --all, --kind <kind>, --reason <text>",
        "predict [model] | --features <json>, --file <path>, --example, --entity <id>, --explain, --top <number>",
        "feedback [options] | --label <class>, --request <id>, --model <name>, --entity <id>, --at <time>",
        "outcomes report [options] | --event <name>, --value <number>, --model <name>, --request <id>, --entity <id>, --at <time>, --file <path>",
        "keys create <name> | --permission <list>, --tier <tier>, --role <list>, --expires <when>",
        "keys list [options] | ",
        "keys revoke <id> | --yes",
        "webhooks add <url> | --format <format>, --events <list>",
        "webhooks list [options] | ",
        "webhooks test <id> | ",
        "webhooks remove <id> | --yes",
        "backup now [options] | --label <text>, --no-wait",
        "backup list [options] | --target <name>",
        "backup show <set> | --target <name>",
        "backup verify [set] | --target <name>",
        "backup prune [options] | --target <name>, --dry-run",
        "backup hold <set> [reason] | --target <name>",
        "backup status [options] | ",
        "backup keygen [options] | ",
        "backup drill [options] | --target <name>",
        "backup point <name> | ",
        "backup points [options] | ",
        "region status [options] | ",
        "region failover [options] | --confirm <region>, --reason <text>, --no-wait",
        "region follow [options] | --confirm <region>",
        "region leave [options] | --confirm <region>",
        "restore [options] | --target <address>, --identity <file>, --signer <key>, --to <what>, --preview, --confirm <home>",
      ]
    `);
  });

  it.each(all.map(({ path }) => path.join(' ')))('is there for `sluice %s`, with an example', async (path) => {
    const ended = await runInside([...path.split(' ').filter(Boolean), '--help']);
    expect(ended.code).toBe(0);
    expect(ended.stdout).toContain('Usage: sluice');
    expect(ended.stdout).toMatch(/Examples?:\n {2}\S/);
    expect(ended.stdout).toContain('--json');
    expect(ended.stderr).toBe('');
  });

  it('says what the exit codes mean', async () => {
    const { stdout } = await runInside([]);
    expect(stdout).toContain('Exit codes: 0 done, 1 failed, 2 wrong usage');
  });

  it('describes every option and argument', () => {
    for (const { path, command } of all) {
      for (const option of command.options)
        expect(option.description, `${path.join(' ')} ${option.flags}`).not.toBe('');
      for (const argument of command.registeredArguments) expect(argument.description, path.join(' ')).not.toBe('');
      expect(command.description(), path.join(' ')).not.toBe('');
    }
  });

  it('knows the version, which no command loses its own --version to', async () => {
    expect((await runInside(['--version'])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
    expect((await runInside(['-V'])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
    const ended = await runInside(['models', 'show', 'churn', '--version', '2', '--url', 'http://127.0.0.1:1']);
    expect(ended.code).toBe(3);
  });

  it('is printed for a group without its command, with exit code 2', async () => {
    const ended = await runInside(['rollout']);
    expect(ended.stderr).toContain('Usage: sluice rollout');
    expect(ended).toMatchObject({ code: 2, stdout: '' });
  });
});
