/** Something that takes a while, shown while it lasts. */
export interface Step {
  /** What it is doing now. */
  readonly update: (text: string) => void;
  readonly done: (text: string) => void;
  readonly fail: (text: string) => void;
}

export interface Progress {
  readonly say: (line: string) => void;
  readonly step: (title: string) => Step;
  /** Ends all drawing. */
  readonly close: () => void;
}

export interface ProgressOutput {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

interface Running {
  readonly title: string;
  readonly startedAtMs: number;
  text: string;
  printedText: string;
  printedAtMs: number;
}

const REDRAW_EVERY_MS = 100;
const LOOK_EVERY_MS = 1_000;
/** Without a terminal: at most one line a step in this time, and at least one in the longer one. */
const LINE_EVERY_MS = 1_500;
const STILL_EVERY_MS = 10_000;
const TITLE_CHARS = 12;
const SPINNER = ['|', '/', '-', '\\'];

/** Shows steps: in place on a terminal, in plain lines elsewhere. Every line says how long it has taken. */
export function createProgress(output: ProgressOutput, nowMs: () => number = Date.now): Progress {
  const onTerminal = output.isTTY === true;
  const running = new Set<Running>();
  let drawn = 0;
  let turn = 0;

  const lineOf = (r: Running, mark: string, text: string): string => renderStep(r, mark, text, nowMs());

  const erase = (): void => {
    if (drawn > 0) output.write(`\u001b[${String(drawn)}A\r\u001b[J`);
    drawn = 0;
  };
  const draw = (): void => {
    if (!onTerminal) return;
    erase();
    const width = Math.max(20, (output.columns ?? 80) - 1);
    const mark = SPINNER[turn % SPINNER.length] ?? '|';
    for (const r of running) output.write(`${lineOf(r, mark, r.text).slice(0, width)}\n`);
    drawn = running.size;
  };
  const print = (line: string): void => {
    if (onTerminal) erase();
    output.write(`${line}\n`);
    draw();
  };
  const look = (): void => {
    turn += 1;
    if (onTerminal) {
      draw();
      return;
    }
    for (const r of running) {
      const quietMs = nowMs() - r.printedAtMs;
      const news = r.text !== r.printedText && quietMs >= LINE_EVERY_MS;
      if (news || quietMs >= STILL_EVERY_MS) printStep(r);
    }
  };
  const printStep = (r: Running): void => {
    r.printedText = r.text;
    r.printedAtMs = nowMs();
    output.write(`${lineOf(r, '.', r.text)}\n`);
  };
  const timer = setInterval(look, onTerminal ? REDRAW_EVERY_MS : LOOK_EVERY_MS);
  timer.unref();

  return {
    say: print,
    step(title) {
      const r: Running = { title, startedAtMs: nowMs(), text: 'starting', printedText: '', printedAtMs: 0 };
      running.add(r);
      if (onTerminal) draw();
      else printStep(r);
      const end = (mark: string, text: string): void => {
        if (running.delete(r)) print(lineOf(r, mark, text));
      };
      return {
        update: (text) => {
          r.text = text;
          if (onTerminal) draw();
          else if (nowMs() - r.printedAtMs >= LINE_EVERY_MS && text !== r.printedText) printStep(r);
        },
        done: (text) => end('+', text),
        fail: (text) => end('x', text),
      };
    },
    close() {
      clearInterval(timer);
      erase();
      running.clear();
    },
  };
}

function renderStep({ title, startedAtMs }: Running, mark: string, text: string, nowMs: number): string {
  const seconds = ((nowMs - startedAtMs) / 1000).toFixed(1);
  return `${mark} ${title.padEnd(TITLE_CHARS)} ${text}${text === '' ? '' : '  '}${seconds} s`;
}
