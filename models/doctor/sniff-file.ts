import type { Finding } from './finding.ts';
import { error } from './finding.ts';

interface Kind {
  readonly name: string;
  readonly fits: (bytes: Buffer) => boolean;
  readonly fix: string;
}

const startsWith =
  (...prefix: readonly number[]) =>
  (bytes: Buffer): boolean =>
    prefix.every((byte, i) => bytes[i] === byte);
const begins = (bytes: Buffer, ...words: readonly string[]): boolean => {
  const text = bytes.subarray(0, 64).toString('latin1').trimStart();
  return words.some((word) => text.startsWith(word));
};

const SKLEARN = "skl2onnx.to_onnx(model, X[:1], options={id(model): {'zipmap': False}}).SerializeToString()";
const TORCH =
  "torch.onnx.export(model, x, 'model.onnx', input_names=['input'], output_names=['probability'], dynamic_axes={'input': {0: 'n'}, 'probability': {0: 'n'}})";

/** Files that people take for a model file, by their first bytes. */
const KINDS: readonly Kind[] = [
  {
    name: 'a zip archive (a PyTorch checkpoint, a Keras model, or an archive around the ONNX file)',
    fits: startsWith(0x50, 0x4b, 0x03, 0x04),
    fix: `unpack it, or export the model: ${TORCH}`,
  },
  { name: 'a Python pickle', fits: startsWith(0x80), fix: `load it in Python and convert it: ${SKLEARN}` },
  {
    name: 'an HDF5 file (Keras)',
    fits: startsWith(0x89, 0x48, 0x44, 0x46),
    fix: 'model.export("model.onnx", format="onnx")',
  },
  { name: 'a gzip file', fits: startsWith(0x1f, 0x8b), fix: 'gunzip it first' },
  {
    name: 'a LightGBM text model',
    fits: (bytes) => begins(bytes, 'tree\n', 'tree\r\n'),
    fix: "onnxmltools.convert_lightgbm(lgb.Booster(model_file=path), initial_types=[('input', FloatTensorType([None, F]))], zipmap=False)",
  },
  {
    name: 'JSON (an XGBoost model?)',
    fits: (bytes) => begins(bytes, '{', '['),
    fix: "onnxmltools.convert_xgboost(model, initial_types=[('input', FloatTensorType([None, F]))])",
  },
  {
    name: 'an XML or HTML page (PMML?)',
    fits: (bytes) => begins(bytes, '<'),
    fix: `convert the model itself: ${SKLEARN}`,
  },
  {
    name: 'a pointer of Git LFS, not the file itself',
    fits: (bytes) => begins(bytes, 'version https://git-lfs'),
    fix: 'git lfs pull',
  },
];

/** `null` when nothing speaks against an ONNX file. Field 1 of it, a small number, makes its first byte 0x08. */
export function sniffFile(bytes: Buffer): Finding | null {
  if (bytes.length === 0) return error('file', 'The file is empty', 'write it again');
  const kind = KINDS.find((k) => k.fits(bytes));
  if (kind === undefined) return null;
  return error('file', `This is not an ONNX file but ${kind.name}`, kind.fix);
}

/** What to say when the reader failed: an ONNX file that was cut, or no ONNX file at all. */
export function unreadable(bytes: Buffer, cause: unknown): Finding {
  const why = cause instanceof Error ? cause.message : String(cause);
  const cut = bytes[0] === 0x08 && /ends (beyond|within)|index out of range/.test(why);
  return cut
    ? error('file', `The file is truncated: ${why}`, 'copy or write it again, and compare its size')
    : error('file', `This is not an ONNX model: ${why}`, `write one, for example ${SKLEARN}`);
}
