import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { describeBar, passes } from './bench.ts';
import type { Figure } from './bench.ts';
import { benches } from './benches.ts';

/**
 * `npm run bench -- NAME [--json FILE] [--url URL --key KEY] [--yardstick FOLDER] [--strategy NAME] [--part NAME]`: exit
 * code 1 when a figure misses its bar, 2 when the call is wrong.
 */
async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    options: {
      json: { type: 'string' },
      url: { type: 'string' },
      key: { type: 'string' },
      yardstick: { type: 'string' },
      strategy: { type: 'string' },
      part: { type: 'string' },
    },
    allowPositionals: true,
  });
  const [name] = positionals;
  if (name === undefined) {
    await listBenches();
    return 0;
  }
  const load = benches[name];
  if (load === undefined || positionals.length > 1) {
    console.error(`Expected one bench of: ${Object.keys(benches).join(', ')}; got: ${positionals.join(' ')}`);
    return 2;
  }
  const bench = await load();
  const { json, ...target } = values;
  const figures = await bench.run((line) => console.error(line), target);
  printTable(name, figures);
  if (json !== undefined) await writeFile(json, `${JSON.stringify(report(name, figures), null, 2)}\n`);
  return figures.every(passes) ? 0 : 1;
}

async function listBenches(): Promise<void> {
  console.log('npm run bench -- NAME [--json FILE] [--url URL --key KEY] [--yardstick FOLDER]\n');
  for (const [name, load] of Object.entries(benches)) console.log(`  ${name.padEnd(15)}${(await load()).description}`);
}

function report(name: string, figures: readonly Figure[]) {
  return { name, figures: figures.map((f) => ({ ...f, ok: passes(f) })) };
}

function printTable(name: string, figures: readonly Figure[]): void {
  const header = ['name', 'figure', 'value', 'unit', 'bar', 'ok'];
  const lines = figures.map((f) => {
    return [name, f.name, Number(f.value.toPrecision(4)).toString(), f.unit, describeBar(f), passes(f) ? 'yes' : 'NO'];
  });
  const widths = header.map((_, i) => Math.max(...[header, ...lines].map((line) => line[i]?.length ?? 0)));
  for (const line of [header, ...lines]) {
    console.log(
      line
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join('  ')
        .trimEnd(),
    );
  }
}

process.exitCode = await main();
