/** Measures and cuts text that may hold colours. */

/** A colour: SGR sequence, kept by `split` because of its group. */
// eslint-disable-next-line no-control-regex -- the escape character is what begins a colour
const COLOUR = /(\u001b\[[0-9;]*m)/;
const ANSI = new RegExp(COLOUR, 'g');

/** Columns the text takes; every character counts as one. */
export function visibleLength(text: string): number {
  return Array.from(text.replace(ANSI, '')).length;
}

export function padEnd(text: string, columns: number): string {
  return text + ' '.repeat(Math.max(0, columns - visibleLength(text)));
}

export function padStart(text: string, columns: number): string {
  return ' '.repeat(Math.max(0, columns - visibleLength(text))) + text;
}

/** Cuts to `columns`, ending with `sign`; colours are kept and closed. */
export function cut(text: string, columns: number, sign = '…'): string {
  if (visibleLength(text) <= columns) return text;
  const room = Math.max(0, columns - sign.length);
  let taken = 0;
  let kept = '';
  let coloured = false;
  for (const part of text.split(COLOUR)) {
    if (part.startsWith('\u001b')) {
      kept += part;
      coloured = true;
      continue;
    }
    const characters = Array.from(part).slice(0, room - taken);
    kept += characters.join('');
    taken += characters.length;
  }
  return `${kept}${sign}${coloured ? '\u001b[0m' : ''}`;
}

/** Breaks at spaces so that no line is longer than `columns` (a longer word stays whole). */
export function wrap(text: string, columns: number): readonly string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(/\s+/)) {
    if (line !== '' && visibleLength(line) + 1 + visibleLength(word) > columns) {
      lines.push(line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  lines.push(line);
  return lines;
}
