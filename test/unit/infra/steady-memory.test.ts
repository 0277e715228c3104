import { execFileSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { keepSteadyMemoryToOneself, STEADY_MEMORY } from '../../../infra/processes/steady-memory.ts';

it('children of a process with steady memory have the usual one', () => {
  const env: NodeJS.ProcessEnv = { PATH: process.env['PATH'], ...STEADY_MEMORY };
  keepSteadyMemoryToOneself(env);
  const seen = execFileSync(process.execPath, ['-p', `Object.keys(process.env).join()`], { env, encoding: 'utf8' });
  expect(seen).not.toContain('MALLOC_');
});

it('leaves what an operator set', () => {
  const env: NodeJS.ProcessEnv = { ...STEADY_MEMORY, MALLOC_ARENA_MAX: '4' };
  keepSteadyMemoryToOneself(env);
  expect(env).toEqual({ MALLOC_ARENA_MAX: '4' });
});
