import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parquetWriteFile } from 'hyparquet-writer';

/** Unlike the shipped example in names, types, languages and rates: machines that fail. */
interface MachineRow {
  readonly 'machine id': string;
  readonly 'air temp [K]': number | null;
  readonly rpm: number;
  readonly 'torque Nm': number | null;
  readonly site: string;
  readonly grade: string | null;
  readonly 'has coolant': boolean;
  readonly 'last service': string;
  readonly plant: string;
  readonly failed: boolean;
}

const SITES = ['Zürich', 'São Paulo', 'Hall 4, "north"', '東京'] as const;
const GRADES = ['L', 'M', 'H'] as const;

/** The same rows for the same seed; about one machine in six fails, which the columns explain well but not fully. */
function generateMachines(rows: number, seed: number): MachineRow[] {
  const random = mulberry32(seed);
  const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  return Array.from({ length: rows }, (_, i) => {
    const temperature = round(300 + 2 * normal(), 1);
    const rpm = Math.max(0, Math.round(1500 + 180 * normal()));
    const torque = round(40 + 10 * normal(), 2);
    const site = SITES[Math.floor(random() * SITES.length)] ?? SITES[0];
    const grade = GRADES[Math.floor(random() * GRADES.length)] ?? 'M';
    const coolant = random() < 0.7;
    const score =
      0.6 * (temperature - 300) +
      0.12 * (torque - 40) -
      0.004 * (rpm - 1500) +
      (coolant ? -0.8 : 1.2) +
      (site === '東京' ? -0.7 : 0.2) +
      (grade === 'L' ? 0.7 : 0);
    return {
      'machine id': `M-${String(i).padStart(6, '0')}`,
      'air temp [K]': random() < 0.03 ? null : temperature,
      rpm,
      'torque Nm': random() < 0.02 ? null : torque,
      site,
      grade: random() < 0.05 ? null : grade,
      'has coolant': coolant,
      'last service': new Date(1.6e12 + Math.floor(random() * 1000) * 86_400_000).toISOString().slice(0, 10),
      plant: 'A1',
      failed: random() < 1 / (1 + Math.exp(2.1 - score)),
    };
  });
}

/** Writes the rows as `machines.csv` and `machines.parquet`. */
export async function writeSecondDataset(
  folder: string,
  options: { readonly rows?: number; readonly seed?: number } = {},
): Promise<{ csvPath: string; parquetPath: string; rows: MachineRow[] }> {
  const rows = generateMachines(options.rows ?? 3000, options.seed ?? 7);
  await mkdir(folder, { recursive: true });
  const csvPath = join(folder, 'machines.csv');
  const parquetPath = join(folder, 'machines.parquet');
  const names = Object.keys(rows[0] ?? {}) as (keyof MachineRow)[];
  const lines = [names, ...rows.map((row) => names.map((name) => row[name]))];
  await writeFile(csvPath, lines.map((line) => line.map(csvCell).join(',')).join('\n') + '\n');
  parquetWriteFile({
    filename: parquetPath,
    rowGroupSize: 1000,
    columnData: names.map((name) => ({
      name,
      data: rows.map((row) => row[name]),
      type: PARQUET_TYPES[name],
    })),
  });
  return { csvPath, parquetPath, rows };
}

const PARQUET_TYPES = {
  'machine id': 'STRING',
  'air temp [K]': 'DOUBLE',
  rpm: 'INT32',
  'torque Nm': 'DOUBLE',
  site: 'STRING',
  grade: 'STRING',
  'has coolant': 'BOOLEAN',
  'last service': 'STRING',
  plant: 'STRING',
  failed: 'BOOLEAN',
} as const;

export function csvCell(value: string | number | boolean | null): string {
  const text = value === null ? '' : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

const round = (value: number, digits: number): number => Number(value.toFixed(digits));

/** Tommy Ettinger's mulberry32: 32 bits of state, good enough for fixtures. */
function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
