/** Where and why a text is not JSON. Runs only after `JSON.parse` refused it. */
export interface JsonFault {
  /** 1-based. */
  readonly line: number;
  readonly column: number;
  /** What was expected there. */
  readonly expected: string;
}

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const WORD = /true|false|null/y;
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;
const SPACE = /[ \t\r\n]*/y;

interface Scan {
  readonly text: string;
  at: number;
}

function take(scan: Scan, pattern: RegExp): boolean {
  pattern.lastIndex = scan.at;
  if (!pattern.test(scan.text)) return false;
  scan.at = pattern.lastIndex;
  return true;
}

/** By hand: a regular expression over a string of megabytes would fill its backtracking stack. */
function takeString(scan: Scan): boolean {
  if (scan.text[scan.at] !== '"') return false;
  scan.at += 1;
  while (scan.at < scan.text.length) {
    const code = scan.text.charCodeAt(scan.at);
    if (code === 0x22) {
      scan.at += 1;
      return true;
    }
    // RFC 8259 section 7: control characters must be escaped.
    if (code < 0x20) return false;
    if (code !== 0x5c) scan.at += 1;
    else if (!take(scan, ESCAPE)) return false;
  }
  return false;
}

const skipSpace = (scan: Scan): boolean => take(scan, SPACE);

function describe(scan: Scan, expected: string): JsonFault {
  const before = scan.text.slice(0, scan.at);
  const line = before.split('\n').length;
  return { line, column: scan.at - before.lastIndexOf('\n'), expected };
}

/** `value`: one is due. `key`: an object wants a key. `after`: a value just ended. `first*`: the container may close. */
type State = 'value' | 'firstValue' | 'key' | 'firstKey' | 'after';

/**
 * Finds the first fault by the grammar of RFC 8259, without recursion (a body may nest as deeply as it is long). The
 * message of `JSON.parse` is not used: it quotes the body, which may hold customer data, and often has no position.
 * @returns null when the text is JSON
 */
export function findJsonFault(text: string): JsonFault | null {
  const scan: Scan = { text, at: 0 };
  const open: ('{' | '[')[] = [];
  let state: State = 'value';
  for (;;) {
    skipSpace(scan);
    if (state === 'after') {
      const next = afterValue(scan, open);
      if (next === null) return null;
      if (typeof next !== 'string') return next;
      state = next;
    } else if (state === 'key' || state === 'firstKey') {
      const next = key(scan, open, state);
      if (typeof next !== 'string') return next;
      state = next;
    } else {
      const next = value(scan, open, state);
      if (typeof next !== 'string') return next;
      state = next;
    }
  }
}

function afterValue(scan: Scan, open: ('{' | '[')[]): State | JsonFault | null {
  const container = open.at(-1);
  if (container === undefined) return scan.at === scan.text.length ? null : describe(scan, 'the end of the body');
  const char = scan.text[scan.at];
  if (char === ',') {
    scan.at += 1;
    return container === '{' ? 'key' : 'value';
  }
  const end = container === '{' ? '}' : ']';
  if (char !== end) return describe(scan, `',' or '${end}'`);
  scan.at += 1;
  open.pop();
  return 'after';
}

function key(scan: Scan, open: ('{' | '[')[], state: 'key' | 'firstKey'): State | JsonFault {
  if (state === 'firstKey' && scan.text[scan.at] === '}') {
    scan.at += 1;
    open.pop();
    return 'after';
  }
  if (!takeString(scan)) return describe(scan, 'a field name in double quotes');
  skipSpace(scan);
  if (scan.text[scan.at] !== ':') return describe(scan, "':' after the field name");
  scan.at += 1;
  return 'value';
}

function value(scan: Scan, open: ('{' | '[')[], state: 'value' | 'firstValue'): State | JsonFault {
  const char = scan.text[scan.at];
  if (state === 'firstValue' && char === ']') {
    scan.at += 1;
    open.pop();
    return 'after';
  }
  if (char === '{' || char === '[') {
    scan.at += 1;
    open.push(char);
    return char === '{' ? 'firstKey' : 'firstValue';
  }
  if (char === '"')
    return takeString(scan)
      ? 'after'
      : describe(scan, 'the rest of a string (characters below U+0020 and backslashes are escaped)');
  return take(scan, WORD) || take(scan, NUMBER) ? 'after' : describe(scan, 'a value');
}
