import proto from 'onnx-proto';
import { describe, expect, it } from 'vitest';
import { DomainError } from '../../../../domain/errors.ts';
import { readArtefact } from '../../../../models/serving/read-artefact.ts';
import { booleanFeature, categoryFeature, numberFeature, tinyModel } from '../../../support/tiny-model.ts';

const { ModelProto } = proto.onnx;
const features = [numberFeature('age'), categoryFeature('plan', ['a', 'ß', 'c']), booleanFeature('active')];
const model = tinyModel({ features });

function refused(bytes: Uint8Array, signature = model.signature): DomainError {
  try {
    readArtefact(bytes, signature);
  } catch (error) {
    expect(error).toBeInstanceOf(DomainError);
    return error as DomainError;
  }
  throw new Error('the artefact was accepted');
}

/** The model's file with something changed in the graph. */
function changed(change: (graph: NonNullable<InstanceType<typeof ModelProto>['graph']>) => void): Uint8Array {
  const parsed = ModelProto.decode(model.onnx);
  change(parsed.graph!);
  return ModelProto.encode(parsed).finish();
}

describe('readArtefact', () => {
  it('takes the vocabularies out of the encoders and leaves a graph on one float matrix', () => {
    const { coreBytes, vocabularies } = readArtefact(model.onnx, model.signature);
    expect([...vocabularies]).toEqual([['plan', ['a', 'ß', 'c']]]);
    const core = ModelProto.decode(coreBytes).graph!;
    expect(core.input!.map((i) => i.name)).toEqual(['features']);
    expect(Number(core.input![0]!.type!.tensorType!.shape!.dim![1]!.dimValue)).toBe(3);
    expect(core.node!.map((n) => n.opType)).toEqual(['IsNaN', 'Where', 'MatMul', 'Add', 'Sigmoid']);
    expect(core.initializer!.map((t) => t.name)).toEqual(['zero', 'weights', 'bias']);
  });

  it('says that bytes are no ONNX model', () => {
    expect(refused(new TextEncoder().encode('not a model')).message).toMatch(/not an ONNX model/);
    expect(refused(new Uint8Array()).message).toMatch(/not an ONNX model/);
    expect(refused(new Uint8Array()).code).toBe('artefactCorrupt');
  });

  it('names the inputs that differ from the signature', () => {
    const other = tinyModel({ features: [numberFeature('age'), numberFeature('plan'), booleanFeature('enabled')] });
    const { problems } = refused(model.onnx, other.signature);
    expect(problems[0]).toEqual({
      field: 'inputs',
      message: 'expected one input per feature in signature order (age, plan, enabled), found age, plan, active',
    });
  });

  it('names an input of another type', () => {
    const other = tinyModel({ features: [features[0]!, numberFeature('plan'), features[2]!] });
    expect(refused(model.onnx, other.signature).problems).toContainEqual({
      field: 'inputs.plan',
      message: 'expected element type FLOAT for a number feature, found STRING',
    });
  });

  it('refuses a vocabulary that is not the signature in the same order', () => {
    for (const categories of [
      ['a', 'c', 'ß'],
      ['a', 'ß'],
      ['a', 'ß', 'c', 'd'],
      ['a', 'ß', 'x'],
    ]) {
      const other = tinyModel({ features: [features[0]!, categoryFeature('plan', categories), features[2]!] });
      expect(refused(model.onnx, other.signature).problems.map((p) => p.field)).toEqual(['encoders.plan']);
    }
  });

  it('refuses other codes than the convention, and another code for unknown categories', () => {
    for (const [name, value] of [
      ['values_floats', { floats: [0, 1, 2, -1] }],
      ['values_floats', { floats: [0, 2, 1, -2] }],
      ['values_floats', { floats: [0, 1, 2] }],
      ['default_float', { f: 0 }],
    ] as const) {
      const bytes = changed((graph) => {
        const encoder = graph.node!.find((n) => n.opType === 'LabelEncoder')!;
        Object.assign(
          encoder.attribute!.find((a) => a.name === name)!,
          value,
        );
      });
      expect(refused(bytes).problems.map((p) => p.field)).toEqual(['encoders.plan']);
    }
  });

  it('refuses columns in another order, another axis, or no Concat at all', () => {
    const swapped = changed((graph) => graph.node!.find((n) => n.opType === 'Concat')!.input!.reverse());
    expect(refused(swapped).problems.map((p) => p.field)).toEqual(['encoders.age', 'encoders.active']);
    const axis = changed((graph) => {
      graph.node!.find((n) => n.opType === 'Concat')!.attribute![0]!.i = 0;
    });
    expect(refused(axis).problems.map((p) => p.field)).toEqual(['features']);
    const foreign = changed((graph) => {
      graph.node = graph.node!.filter((n) => n.opType !== 'Concat');
    });
    expect(refused(foreign).problems.map((p) => p.field)).toEqual(['features']);
  });

  it('refuses another output', () => {
    const bytes = changed((graph) => {
      graph.output![0]!.name = 'variable';
    });
    expect(refused(bytes).problems).toContainEqual({
      field: 'outputs',
      message: 'expected one output named probability, found variable',
    });
  });

  it('refuses a graph that reads a raw input behind the encoders', () => {
    const bytes = changed((graph) => {
      const add = graph.node!.find((n) => n.opType === 'Add')!;
      add.input![1] = 'age';
    });
    expect(refused(bytes).message).toMatch(/reads the raw input age behind features/);
  });
});
