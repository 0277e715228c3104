import { error } from './finding.ts';
import type { Finding } from './finding.ts';

/** Cut: these messages quote C++ signatures. */
const REASON_CHARS_MAX = 300;

interface Known {
  readonly pattern: RegExp;
  readonly explain: (match: RegExpExecArray) => Finding;
}

const KNOWN: readonly Known[] = [
  {
    pattern: /support for domain (\S+) is till opset (\d+)/,
    explain: ([, domain = '', newest = '']) =>
      error('opset', `The graph uses a newer operator set of ${domain} than ${newest}`, 'convert with target_opset=17'),
  },
  {
    pattern: /max supported IR version: (\d+)/,
    explain: ([, newest = '']) =>
      error(
        'opset',
        `The ONNX format is newer than version ${newest}`,
        `model.ir_version = ${newest} before onnx.save`,
      ),
  },
  {
    pattern: /(?:No Op registered for (\S+)|Fatal error: (\S+?)\(-1\) is not a registered)/,
    explain: ([, inOnnx, custom]) =>
      error(
        'operators',
        `The operator ${inOnnx ?? custom ?? ''} is not known here`,
        'convert with target_opset=17, or leave that step out of the model and do it before',
      ),
  },
  {
    pattern: /NOT_IMPLEMENTED|Could not find an implementation for (\S+)/,
    explain: ([, node = 'an operator']) =>
      error(
        'operators',
        `onnxruntime has no code for ${node} with these types`,
        'use float32 throughout: model.float()',
      ),
  },
  {
    pattern: /[Ee]xternal data/,
    explain: () =>
      error(
        'externalData',
        'Data of the model lies in another file',
        'onnx.save(model, path, save_as_external_data=False)',
      ),
  },
  {
    pattern: /Failed to allocate memory for requested buffer of size (\d+)/,
    explain: ([, bytes = '']) =>
      error(
        'memory',
        `The graph asks for ${bytes} bytes at once`,
        'look for a shape that is computed or far too large',
      ),
  },
];

/** What onnxruntime says when it does not take a graph, as a finding with what to do. */
export function explainLoadError(cause: unknown): Finding {
  const text = cause instanceof Error ? cause.message : String(cause);
  for (const { pattern, explain } of KNOWN) {
    const match = pattern.exec(text);
    if (match !== null) return explain(match);
  }
  return error(
    'load',
    `onnxruntime does not take the graph: ${reasonIn(text)}`,
    "onnx.checker.check_model(onnx.load('model.onnx'), full_check=True) tells more",
  );
}

/** Without the C++ names before it. */
export function reasonIn(text: string): string {
  const plain = text
    .replace(/\/onnxruntime_src\/\S+ [^)]*\)\s*/, '')
    .replaceAll(/\s+/g, ' ')
    .trim();
  return plain.length > REASON_CHARS_MAX ? `${plain.slice(0, REASON_CHARS_MAX)}...` : plain;
}
