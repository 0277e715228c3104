/** Colours and signs of one terminal. Every function returns its text unchanged where colours are off. */
export interface Style {
  readonly bold: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly red: (text: string) => string;
  readonly green: (text: string) => string;
  readonly yellow: (text: string) => string;
  readonly cyan: (text: string) => string;
  readonly signs: Signs;
}

export interface Signs {
  readonly yes: string;
  readonly no: string;
  readonly full: string;
  readonly empty: string;
  readonly cut: string;
  readonly arrow: string;
  readonly line: string;
}

const UNICODE: Signs = { yes: '✓', no: '✗', full: '█', empty: '░', cut: '…', arrow: '→', line: '─' };
const ASCII: Signs = { yes: '+', no: 'x', full: '#', empty: '.', cut: '~', arrow: '->', line: '-' };

export function createStyle(options: { colour: boolean; unicode: boolean }): Style {
  // SGR codes, ECMA-48 8.3.117: the second number switches off what the first switched on.
  const sgr = (on: number, off: number) => (text: string) =>
    options.colour ? `\u001b[${on}m${text}\u001b[${off}m` : text;
  return {
    bold: sgr(1, 22),
    dim: sgr(2, 22),
    red: sgr(31, 39),
    green: sgr(32, 39),
    yellow: sgr(33, 39),
    cyan: sgr(36, 39),
    signs: options.unicode ? UNICODE : ASCII,
  };
}
