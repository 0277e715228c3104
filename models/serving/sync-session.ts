import { createRequire } from 'node:module';
import type { InferenceSession, OnnxValue } from 'onnxruntime-node';
import { SESSION_OPTIONS } from './open-session.ts';

/** What is used of the library's native session. */
interface NativeSession {
  loadModel(buffer: ArrayBufferLike, byteOffset: number, byteLength: number, options: object): void;
  run(
    feeds: Readonly<Record<string, OnnxValue>>,
    fetches: Readonly<Record<string, null>>,
    options: object,
  ): Readonly<Record<string, OnnxValue>>;
  dispose(): void;
  readonly outputMetadata: readonly { readonly name: string }[];
}

interface NativeBinding {
  readonly binding: { readonly InferenceSession: new () => NativeSession };
  readonly initOrt: () => void;
}

/** A session that answers when it is called. The outputs come as they are, with `data` and `dims`. */
export interface SyncSession {
  run(feeds: Readonly<Record<string, OnnxValue>>): Readonly<Record<string, OnnxValue>>;
  release(): Promise<void>;
}

const NO_OPTIONS: InferenceSession.RunOptions = {};

/**
 * The native session behind `InferenceSession`, whose `run` is this one with a promise, a turn of the event loop and a
 * check of its arguments around it: a third of the time of a small run. It is not a documented part of the library,
 * so it is taken only where it looks as expected; decision 0015 says why, and what happens where it does not.
 * @param outputs names of what `run` gives
 * @returns `null` where the library has no such session
 * @throws the library's error when it refuses the graph
 */
export function openSyncSession(bytes: Uint8Array, outputs: readonly string[]): SyncSession | null {
  const native = createNative();
  if (native === null) return null;
  native.loadModel(bytes.buffer, bytes.byteOffset, bytes.byteLength, SESSION_OPTIONS);
  // The native call takes another name for no output at all.
  const given = native.outputMetadata.map(({ name }) => name);
  const absent = outputs.find((name) => !given.includes(name));
  if (absent !== undefined) throw new RangeError(`it has no output ${absent}, only ${given.join(', ')}`);
  const fetches = Object.fromEntries(outputs.map((name) => [name, null]));
  return {
    run: (feeds) => native.run(feeds, fetches, NO_OPTIONS),
    release: () => {
      native.dispose();
      return Promise.resolve();
    },
  };
}

/** `undefined` before the first look. */
let known: NativeBinding | null | undefined;

function createNative(): NativeSession | null {
  known ??= findBinding();
  if (known === null) return null;
  try {
    known.initOrt();
    const session = new known.binding.InferenceSession();
    const found = session as unknown as Readonly<Record<string, unknown>>;
    return ['loadModel', 'run', 'dispose'].every((name) => typeof found[name] === 'function') ? session : null;
  } catch {
    return null;
  }
}

function findBinding(): NativeBinding | null {
  try {
    const found = createRequire(import.meta.url)('onnxruntime-node/dist/binding.js') as Partial<NativeBinding>;
    const looksRight = typeof found.initOrt === 'function' && typeof found.binding?.InferenceSession === 'function';
    return looksRight ? (found as NativeBinding) : null;
  } catch {
    return null;
  }
}
