import { mkdir, writeFile } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import { type Command, Option } from 'commander';
import type { Runner, Session } from '../../session.ts';

interface ReportOptions {
  readonly format: 'md' | 'json' | 'svg';
  readonly out?: string;
}

const AFTER_HELP = `
Markdown goes to a file together with its plot (SVG) beside it, or to standard output with the plot inside.

Examples:
  sluice rollout report churn --out report.md
  sluice rollout report 5b0b0c1c-27a5-4f0a-8f0f-6f3c7a4d2e11 --format json`;

export function registerReport(rollout: Command, runner: Runner): void {
  rollout
    .command('report')
    .description('what a rollout decided, when, by whom and on what evidence, with a plot')
    .argument('<rollout>', 'name of the model, or id of the rollout')
    .addOption(new Option('--format <format>', 'of the report').choices(['md', 'json', 'svg']).default('md'))
    .option('--out <file>', 'write it there')
    .addHelpText('after', AFTER_HELP)
    .action((reference: string, options: ReportOptions, command: Command) =>
      runner.run(command, (session) => report(session, reference, options)),
    );
}

async function report(session: Session, reference: string, options: ReportOptions): Promise<undefined> {
  const api = await session.api();
  const format = session.json ? 'json' : options.format;
  const document = format === 'json' ? await api.report(reference) : null;
  const text = format === 'json' ? JSON.stringify(document, null, 2) : await api.reportText(reference, format);
  if (options.out === undefined) {
    // A picture in a screen of text is a page of noise; a file takes it.
    const shown = session.terminal.interactive ? text.replace(/^!\[.*\n\n?/m, '') : text;
    session.answer(document, shown.trimEnd().split('\n'));
    return undefined;
  }
  const file = resolve(options.out);
  await mkdir(dirname(file), { recursive: true });
  const written = [file];
  if (format === 'md') {
    const plot = `${file.replace(/\.md$/, '')}.svg`;
    await writeFile(plot, await api.reportText(reference, 'svg'));
    await writeFile(file, text.replace(/\(data:image\/svg\+xml;base64,[^)]*\)/, `(${basename(plot)})`));
    written.push(plot);
  } else {
    await writeFile(file, text);
  }
  const { style } = session.terminal;
  session.answer(
    { written },
    written.map((path) => `${style.green(style.signs.yes)} ${path}`),
  );
  return undefined;
}
