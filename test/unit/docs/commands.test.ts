import type { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { createProgram } from '../../../cli/program.ts';
import { parseCommandInput, parseRolloutInput, parseTrainInput } from '../../../domain/workflow-input.ts';
import { ROLLOUT_COMMANDS, WORKFLOWS } from '../../../workflows/messages.ts';
import { pages, source } from './support/pages.ts';
import { commandsOf, sluiceArguments } from './support/shell.ts';

interface Shown {
  readonly where: string;
  readonly words: readonly string[];
}

const shown: readonly Shown[] = pages.flatMap((page) =>
  page.blocks
    .filter((block) => ['sh', 'bash', 'shell', 'console'].includes(block.language))
    .flatMap((block) =>
      block.text
        .replaceAll('\\\n', ' ')
        .split('\n')
        .flatMap((line) => commandsOf(line).map((words) => ({ where: block.where, words }))),
    ),
);
const inline: readonly Shown[] = pages.flatMap((page) =>
  [...page.text.replaceAll(/```[\s\S]*?```/g, '').matchAll(/`((?:npx )?sluice [^`]+)`/g)]
    // Prose may name a command with a placeholder or leave its arguments out.
    .filter(([, command = '']) => !/[A-Z]{3,}|\.\.\./.test(command) && command.split(' ').length > 3)
    .map(([, command = '']) => ({ where: page.path, words: commandsOf(command)[0] ?? [] })),
);

/** Parses as the program would; commands end before they do anything. */
async function parse(args: readonly string[]): Promise<void> {
  const program = createProgram({ run: () => Promise.resolve(), exitCode: () => 0 }, { json: true, streams: process });
  const up = program.commands.find((command: Command) => command.name() === 'up');
  up?.action(() => undefined);
  program.configureOutput({ writeOut: () => undefined });
  await program.parseAsync([...args], { from: 'user' }).catch((error: unknown) => {
    if ((error as { exitCode?: number }).exitCode !== 0) throw error;
  });
}

describe('the commands in the docs', () => {
  it('are there', () => {
    expect(shown.length).toBeGreaterThan(60);
  });

  it.each(
    [...shown, ...inline].flatMap(({ where, words }) => {
      const args = sluiceArguments(words);
      return args === null ? [] : [[args.join(' '), where, args] as const];
    }),
  )('`sluice %s` is understood (%s)', async (_line, _where, args) => {
    await expect(parse(args)).resolves.toBeUndefined();
  });

  it('would not be understood with an option that does not exist', async () => {
    await expect(parse(['rollout', 'start', 'churn', '--yolo'])).rejects.toThrow('unknown option');
    await expect(parse(['rollouts'])).rejects.toThrow('unknown command');
  });

  it('name scripts of package.json', () => {
    const { scripts } = JSON.parse(source('package.json')) as { scripts: Record<string, string> };
    const names = shown.flatMap(({ words }) => {
      const rest = words.slice(words.findIndex((word) => !/^[A-Z_]+=/.test(word)));
      if (rest[0] !== 'npm' || ['ci', 'i', 'install'].includes(rest[1] ?? '')) return [];
      return [rest[1] === 'run' ? (rest[2] ?? '') : (rest[1] ?? '')];
    });
    expect(names.length).toBeGreaterThan(3);
    for (const name of names) expect(Object.keys(scripts)).toContain(name);
  });

  it('give the workflows what they take', () => {
    const option = (words: readonly string[], name: string): string => words[words.indexOf(name) + 1] ?? '';
    const temporal = shown.filter(({ words }) => words[0] === 'temporal' && words.includes('--input'));
    expect(temporal.length).toBeGreaterThan(2);
    for (const { words, where } of temporal) {
      const input = JSON.parse(option(words, '--input')) as unknown;
      const name = words.includes('update') ? 'update' : option(words, '--type');
      const parsers: Readonly<Record<string, (raw: unknown) => { readonly ok: boolean }>> = {
        [WORKFLOWS.train]: parseTrainInput,
        [WORKFLOWS.rollout]: parseRolloutInput,
        update: parseCommandInput,
      };
      const parsed = parsers[name]?.(input);
      expect(parsed, `${where}: ${words.join(' ')}`).toMatchObject({ ok: true });
      if (name === 'update') expect(ROLLOUT_COMMANDS).toContain(option(words, '--name'));
    }
  });
});

describe('the reader of shell lines', () => {
  it('sees words, quotes, pipes and comments', () => {
    expect(commandsOf(`cat a | sluice predict m --features '{"a": "b c"}' # why`)).toEqual([
      ['cat', 'a'],
      ['sluice', 'predict', 'm', '--features', '{"a": "b c"}'],
    ]);
    expect(commandsOf('a && b')).toEqual([['a'], ['b']]);
  });

  it('finds sluice behind what may stand before it', () => {
    for (const before of ['', 'npx ', 'SLUICE_PORT=1 ', 'A=1 npx ', 'docker compose exec api ']) {
      expect(sluiceArguments(`${before}sluice status`.split(' '))).toEqual(['status']);
    }
    expect(sluiceArguments(['npm', 'start'])).toBeNull();
  });
});
