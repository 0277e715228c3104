import { STATUS_CODES } from 'node:http';

const DATE_LIFE_MS = 1_000;

export interface AnswerTail {
  /** Of the JSON text in UTF-8. */
  readonly bodyBytes: number;
  /** The connection closes behind it. */
  readonly isLast: boolean;
}

/** Writes answers as Node's server would: the same headers in the same order. */
export interface AnswerWriter {
  /** @param headers names and values in turn */
  write(status: number, headers: readonly string[], requestId: string, json: string, tail: AnswerTail): string;
}

/** @param keepAliveTimeoutMs as it is told to clients */
export function createAnswerWriter(keepAliveTimeoutMs: number): AnswerWriter {
  // Most answers have the very same headers: kept as text by the list they come in.
  const known = new WeakMap<readonly string[], string>();
  const keepAlive = `Connection: keep-alive\r\nKeep-Alive: timeout=${Math.floor(keepAliveTimeoutMs / 1000)}\r\n\r\n`;
  let dateAtMs = -Infinity;
  let staying = '';
  let leaving = '';

  function renewDate(): void {
    const nowMs = performance.now();
    if (nowMs - dateAtMs < DATE_LIFE_MS) return;
    dateAtMs = nowMs;
    const date = `\r\nDate: ${new Date().toUTCString()}\r\n`;
    staying = `${date}${keepAlive}`;
    leaving = `${date}Connection: close\r\n\r\n`;
  }

  return {
    write: (status, headers, requestId, json, { bodyBytes, isLast }) => {
      renewDate();
      let text = status === 200 ? known.get(headers) : undefined;
      if (text === undefined) {
        text = headText(status, headers);
        if (status === 200) known.set(headers, text);
      }
      return `${text}${requestId}\r\ncontent-length: ${bodyBytes}${isLast ? leaving : staying}${json}`;
    },
  };
}

/** Up to the value of the last of them, the id. */
function headText(status: number, headers: readonly string[]): string {
  let text = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'unknown'}\r\n`;
  for (let i = 0; i < headers.length; i += 2) text += `${headers[i]}: ${headers[i + 1]}\r\n`;
  return `${text}x-request-id: `;
}
