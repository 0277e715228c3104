import { createInterface } from 'node:readline/promises';
import type { Settings } from '../settings.ts';
import { createStyle, type Style } from './style.ts';
import { cut } from './text.ts';

/** What the command line needs of `process`, so that tests can give their own. */
export interface Streams {
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
}

/** Width where the output is no terminal: files and pipes are read by machines or pasted, not wrapped. */
const PIPE_WIDTH = 200;

export interface Terminal {
  /** A person looks at the answers. */
  readonly interactive: boolean;
  /** A person can be asked: input and messages are on a terminal. */
  readonly canAsk: boolean;
  readonly width: number;
  readonly style: Style;
  /** Answers: standard output. */
  readonly print: (lines: readonly string[]) => void;
  /** Everything beside the answer: standard error. */
  readonly note: (line: string) => void;
  /** Draws over what the last call drew; only where `interactive`. */
  readonly redraw: (lines: readonly string[]) => void;
  /** One line from the person; only where `canAsk`. */
  readonly ask: (question: string) => Promise<string>;
  /** Leaves what was drawn and goes on below it. */
  readonly settle: () => void;
}

/** A pipe has no `isTTY` at all, whatever the types say. */
export function onScreen(stream: { isTTY?: boolean }): boolean {
  return stream.isTTY === true;
}

export function createTerminal(streams: Streams, settings: Pick<Settings, 'colour' | 'unicode'>): Terminal {
  const interactive = onScreen(streams.stdout);
  const rows = interactive ? Math.max(5, streams.stdout.rows) : 0;
  const width = interactive ? Math.max(40, streams.stdout.columns) : PIPE_WIDTH;
  const style = createStyle({ colour: settings.colour && interactive, unicode: settings.unicode });
  let drawn = 0;
  return {
    interactive,
    canAsk: onScreen(streams.stdin) && onScreen(streams.stderr),
    width,
    style,
    print: (lines) => {
      if (lines.length > 0) streams.stdout.write(`${lines.join('\n')}\n`);
    },
    note: (line) => {
      streams.stderr.write(`${line}\n`);
    },
    redraw: (lines) => {
      // A wrapped line would take two rows and break the count of rows to go up; so would lines above the top.
      const shown = lines.length < rows ? lines : lines.filter((line) => line !== '');
      const fitting = shown.slice(0, rows - 1).map((line) => cut(line, width - 1, style.signs.cut));
      const up = drawn === 0 ? '' : `\u001b[${drawn}A`;
      streams.stdout.write(`${up}\r\u001b[J${fitting.join('\n')}\n`);
      drawn = fitting.length;
    },
    ask: async (question) => {
      const reader = createInterface({ input: streams.stdin, output: streams.stderr });
      try {
        return await reader.question(question);
      } finally {
        reader.close();
      }
    },
    settle: () => {
      drawn = 0;
    },
  };
}
