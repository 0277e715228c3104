import { error, info } from './finding.ts';
import type { Finding } from './finding.ts';
import type { GraphFacts } from './read-graph.ts';
import { IR_VERSION_MAX, OPSET_MAX } from './supported.ts';

/** Names listed in one finding. */
const NAMES_MAX = 5;

/** What can be said of a graph before anything of it runs. */
export function checkGraph(facts: GraphFacts): readonly Finding[] {
  return [...checkVersions(facts), ...checkOperators(facts), ...checkExternalData(facts), ...checkZipMap(facts)];
}

function checkVersions({ irVersion, opsets }: GraphFacts): Finding[] {
  const findings: Finding[] = [];
  if (irVersion > IR_VERSION_MAX) {
    const message = `The file has the ONNX format version ${irVersion}; this platform reads up to ${IR_VERSION_MAX}`;
    findings.push(error('opset', message, `model.ir_version = ${IR_VERSION_MAX} before onnx.save(model, path)`));
  }
  if (opsets.length === 0) {
    findings.push(
      error('opset', 'The file does not say which operator set it uses', 'convert it with target_opset=17'),
    );
  }
  for (const { domain, version } of opsets) {
    const newest = OPSET_MAX[domain];
    if (newest === undefined || version <= newest) continue;
    const set = domain === '' ? 'ai.onnx' : domain;
    const message = `The graph uses operator set ${version} of ${set}; this platform runs up to ${newest}`;
    const wish = domain === 'ai.onnx.ml' ? `target_opset={'': 17, 'ai.onnx.ml': 3}` : 'target_opset=17';
    findings.push(error('opset', message, `convert with ${wish} (torch.onnx.export: opset_version=17)`));
  }
  return findings;
}

function checkOperators({ operators, functions }: GraphFacts): Finding[] {
  const findings: Finding[] = [];
  const custom = [...operators].filter((name) => OPSET_MAX[name.slice(0, name.lastIndexOf('/'))] === undefined);
  if (custom.length > 0) {
    const message = `The graph uses operators that are not part of ONNX: ${listed(custom)}`;
    const fix =
      'leave that step out of the model and do it before, or convert without custom operators ' +
      '(torch.onnx.export: operator_export_type=torch.onnx.OperatorExportTypes.ONNX)';
    findings.push(error('operators', message, fix));
  }
  if (operators.has('/Loop') || operators.has('ai.onnx/Loop')) {
    const message =
      'The graph holds a Loop, whose number of turns may depend on the row: one row could hold up all others';
    findings.push(error('operators', message, 'unroll the loop, or write the step with operators on whole tensors'));
  }
  if (functions > 0) {
    const message = `The file defines ${functions} functions of its own`;
    findings.push(error('operators', message, 'model = onnx.inliner.inline_local_functions(model) before onnx.save'));
  }
  return findings;
}

function checkExternalData({ external }: GraphFacts): Finding[] {
  if (external.length === 0) return [];
  const message = `The data of ${external.length} tensors (${listed(external)}) lies in another file`;
  return [
    error('externalData', message, "onnx.save(onnx.load('model.onnx'), 'whole.onnx', save_as_external_data=False)"),
  ];
}

function checkZipMap({ operators, outputs }: GraphFacts): Finding[] {
  const maps = outputs.filter((output) => output.type?.tensorType == null && output.type != null);
  if (operators.has('ai.onnx.ml/ZipMap')) {
    const name = maps[0]?.name ?? 'the output';
    const message = `A ZipMap at the end turns the probabilities (${name}) into a list of dictionaries, which is slow and no tensor`;
    const fix =
      "skl2onnx: to_onnx(model, X[:1], options={id(model): {'zipmap': False}}); " +
      'onnxmltools: convert_lightgbm(model, initial_types=..., zipmap=False)';
    return [error('zipMap', message, fix)];
  }
  return maps.map((output) => info('output', `${output.name ?? 'An output'} is no tensor and is not read`));
}

function listed(names: readonly string[]): string {
  const shown = names
    .slice(0, NAMES_MAX)
    .map((name) => name.replace(/^\//, ''))
    .join(', ');
  return names.length > NAMES_MAX ? `${shown} and ${names.length - NAMES_MAX} more` : shown;
}
