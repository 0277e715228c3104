import type { Figure } from './bench.ts';
import { BATCH_ROWS } from './yardstick.ts';
import type { Measurements } from './yardstick.ts';

/** The promises as ratios within one run: a machine that is slow today is slow for everybody. */
export function compareWithPeers(measured: Measurements): readonly Figure[] {
  const { target, fastapi, 'node-floor': floor } = measured;
  const ratio = (name: string, value: number, bar: number, better: Figure['better']): Figure => {
    return { name, value, unit: 'x', bar, better };
  };
  const shown = (name: string, value: number, unit: string): Figure => {
    return { name, value, unit, bar: null, better: 'higher' };
  };
  return [
    ratio('requests/s at 32 connections / FastAPI', target.c32.rps / fastapi.c32.rps, 4, 'higher'),
    ratio('p99 at 32 connections / FastAPI', target.c32.p99_ms / fastapi.c32.p99_ms, 1 / 3, 'lower'),
    ratio('requests/s at 32 connections / node-floor', target.c32.rps / floor.c32.rps, 0.65, 'higher'),
    ratio('p50 at 1 connection / FastAPI', target.c1.p50_ms / fastapi.c1.p50_ms, 1, 'lower'),
    {
      name: `rows/s in batches of ${BATCH_ROWS}`,
      value: target.batch.rps * BATCH_ROWS,
      unit: '1/s',
      bar: 100_000,
      better: 'higher',
    },
    ratio('rows/s in batches / FastAPI', target.batch.rps / fastapi.batch.rps, 1, 'higher'),
    shown('requests/s at 32 connections, wrk', target.c32.rps, '1/s'),
    shown('requests/s at 32 connections, FastAPI', fastapi.c32.rps, '1/s'),
    shown('requests/s at 32 connections, node-floor', floor.c32.rps, '1/s'),
    {
      name: 'errors under wrk',
      value: target.c1.errors + target.c32.errors + target.batch.errors,
      unit: 'requests',
      bar: 0,
      better: 'lower',
    },
  ];
}
