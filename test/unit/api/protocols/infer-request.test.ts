import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DATATYPES } from '../../../../api/protocols/open-inference/datatypes.ts';
import { decodeInferRequest } from '../../../../api/protocols/open-inference/infer-request.ts';
import type { InputTensor } from '../../../../api/protocols/open-inference/infer-request.ts';
import { writeTensorBytes } from '../../../../api/protocols/open-inference/tensor-bytes.ts';
import { createProblemList } from '../../../../api/protocols/problem-list.ts';
import { DomainError } from '../../../../domain/errors.ts';

const newProblems = () => createProblemList((row) => String(row));

/** The fields named, or none. */
function refusedFields(decode: (problems: ReturnType<typeof newProblems>) => void): readonly string[] {
  const problems = newProblems();
  try {
    decode(problems);
    problems.refuseIfAny();
    return [];
  } catch (error) {
    if (!(error instanceof DomainError)) throw error;
    return error.problems.map((p) => `${p.field}: ${p.message}`);
  }
}

const decodeJson = (value: object) => (problems: ReturnType<typeof newProblems>) => {
  decodeInferRequest(Buffer.from(JSON.stringify(value)), null, problems);
};
const input = (change: object = {}) => ({ name: 'x', shape: [2, 1], datatype: 'FP64', data: [1, 2], ...change });

/** JSON.stringify writes the negative zero as `0`. */
const positiveZero = (value: number) => value + 0;

/** Tensors of texts, whole numbers and booleans: the same in JSON and as bytes. */
const tensor = fc
  .record({ rows: fc.integer({ min: 1, max: 5 }), width: fc.integer({ min: 1, max: 3 }) })
  .chain(({ rows, width }) => {
    const of = (datatype: string, value: fc.Arbitrary<string | number | boolean>) =>
      fc
        .array(value, { minLength: rows * width, maxLength: rows * width })
        .map((values) => ({ datatype, shape: [rows, width], values }));
    return fc.oneof(
      of('BYTES', fc.string()),
      of('INT32', fc.integer()),
      of('FP64', fc.double({ noNaN: true, noDefaultInfinity: true }).map(positiveZero)),
      of('BOOL', fc.boolean()),
    );
  });
const tensors: fc.Arbitrary<readonly InputTensor[]> = fc
  .array(tensor, { minLength: 1, maxLength: 4 })
  .map((list) => list.map((t, i) => ({ name: `x${i}`, ...t })));

/** As a client builds the body. */
function encode(inputs: readonly InputTensor[], isBinary: (i: number) => boolean, extra: object = {}) {
  const binary: Buffer[] = [];
  const described = inputs.map(({ name, datatype, shape, values }, i) => {
    if (!isBinary(i)) return { name, datatype, shape, data: values };
    const bytes = writeTensorBytes(datatype, values);
    binary.push(bytes);
    return { name, datatype, shape, parameters: { binary_data_size: bytes.byteLength } };
  });
  const json = Buffer.from(JSON.stringify({ ...extra, inputs: described }));
  return { body: Buffer.concat([json, ...binary]), jsonBytes: json.byteLength };
}

describe('an inference request', () => {
  it('reads the same whichever of its tensors are binary', () => {
    fc.assert(
      fc.property(tensors, fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }), (inputs, binary) => {
        const { body, jsonBytes } = encode(inputs, (i) => binary[i]!, { id: 'a' });
        const problems = newProblems();
        const request = decodeInferRequest(body, jsonBytes, problems);
        problems.refuseIfAny();
        expect(request).toEqual({ id: 'a', inputs, outputs: [], binaryByDefault: false });
      }),
    );
  });

  it('takes nested data, outputs and flags', () => {
    const problems = newProblems();
    const outputs = [{ name: 'probability', parameters: { binary_data: true } }, { name: 'label' }];
    const body = { inputs: [input({ data: [[1], [null]] })], outputs, parameters: { binary_data_output: true } };
    const request = decodeInferRequest(Buffer.from(JSON.stringify(body)), null, problems);
    problems.refuseIfAny();
    expect(request.inputs[0]!.values).toEqual([1, null]);
    expect(request).toMatchObject({ id: undefined, binaryByDefault: true });
    expect(request.outputs).toEqual([
      { name: 'probability', binary: true },
      { name: 'label', binary: undefined },
    ]);
  });

  it('reads the bare NaN of Python as missing, and leaves texts alone', () => {
    const body = '{"inputs":[{"name":"NaN","shape":[2],"datatype":"BYTES","data":["a\\"NaN", NaN]}]}';
    const request = decodeInferRequest(Buffer.from(body), null, newProblems());
    expect(request.inputs[0]).toMatchObject({ name: 'NaN', values: ['a"NaN', null] });
  });

  it.each([
    [{}, 'inputs: expected a list'],
    [{ inputs: [] }, 'inputs: expected a list'],
    [{ inputs: [5] }, 'inputs[0]: expected an object with a name'],
    [{ inputs: [input(), input()] }, 'inputs.x: is there twice'],
    [{ inputs: [input()], id: 5 }, 'id: expected a text'],
    [{ inputs: [input({ datatype: 'FP16' })] }, 'inputs.x.datatype: is not a datatype'],
    [{ inputs: [input({ datatype: 'constructor' })] }, 'inputs.x.datatype: is not a datatype'],
    [{ inputs: [input({ shape: [1, 1, 2] })] }, 'inputs.x.shape'],
    [{ inputs: [input({ shape: [-1, 1] })] }, 'inputs.x.shape'],
    [{ inputs: [input({ shape: [2 ** 30, 2 ** 30] })] }, 'inputs.x.shape'],
    [{ inputs: [input({ shape: [3, 1] })] }, 'inputs.x.data: the shape [3, 1] holds 3 elements, there are 2'],
    [{ inputs: [input({ data: [[1, 2]] })] }, 'inputs.x.data: the shape [2, 1] holds 2 elements, its nesting'],
    [{ inputs: [input({ data: [[[1]], [[2]]] })] }, 'its nesting is another'],
    [{ inputs: [input({ data: undefined })] }, 'inputs.x.data: expected a list'],
    [{ inputs: [input({ data: [1, '2'] })] }, 'inputs.x.data[1]: expected a number'],
    [{ inputs: [input({ datatype: 'INT8', data: [1, 200] })] }, 'inputs.x.data[1]: expected a whole number from -128'],
    [{ inputs: [input({ datatype: 'INT64', data: [1, 2 ** 60] })] }, 'only as binary data'],
    [{ inputs: [input({ datatype: 'UINT64', data: [1, -1] })] }, 'inputs.x.data[1]'],
    [{ inputs: [input({ datatype: 'BOOL', data: [true, 1] })] }, 'inputs.x.data[1]: expected true or false'],
    [{ inputs: [input({ datatype: 'BYTES', data: ['a', 1] })] }, 'inputs.x.data[1]: expected a text'],
    [{ inputs: [input({ parameters: { binary_data_size: -1 } })] }, 'binary_data_size: expected a number of bytes'],
    [{ inputs: [input({ parameters: { binary_data_size: 16 } })] }, 'inputs: binary_data_size adds up to 16 bytes, 0'],
    [{ inputs: [input()], outputs: 'all' }, 'outputs: expected a list'],
    [{ inputs: [input()], outputs: [{}] }, 'outputs[0]: expected an object with a name'],
    [{ inputs: [input()], parameters: { binary_data_output: 1 } }, 'binary_data_output: expected true or false'],
    [
      { inputs: [input()], outputs: [{ name: 'p', parameters: { classification: 3 } }] },
      'classification: is not offered',
    ],
  ])('names what is wrong with %j', (body, expected) => {
    expect(refusedFields(decodeJson(body)).join('\n')).toContain(expected);
  });

  it('names bytes that are left over, and a length beyond the body', () => {
    const { body, jsonBytes } = encode([{ name: 'x', datatype: 'FP64', shape: [1, 1], values: [1] }], () => true);
    const longer = Buffer.concat([body, Buffer.alloc(3)]);
    const left = refusedFields((problems) => decodeInferRequest(longer, jsonBytes, problems));
    expect(left).toEqual(['inputs: binary_data_size adds up to 8 bytes, 11 follow the JSON']);
    expect(() => decodeInferRequest(body, body.byteLength + 1, newProblems())).toThrow('cannot be right');
    expect(() => decodeInferRequest(body, 0, newProblems())).toThrow('cannot be right');
    expect(() => decodeInferRequest(body, jsonBytes - 1, newProblems())).toThrow('not JSON');
  });

  it('refuses whatever else is sent with a reason, and throws nothing else', () => {
    const known = fc.constantFrom(
      'name',
      'shape',
      'datatype',
      'data',
      'parameters',
      'binary_data_size',
      'inputs',
      'outputs',
    );
    const value = fc.oneof(fc.jsonValue(), fc.constantFrom<unknown>(...DATATYPES, [1, 1], [2], 'x', [1, 2]));
    const object = fc.dictionary(known, fc.oneof(value, fc.array(fc.dictionary(known, value), { maxLength: 3 })));
    const body = fc.record({ inputs: fc.oneof(value, fc.array(object, { maxLength: 3 })), outputs: value });
    fc.assert(
      fc.property(body, fc.uint8Array({ maxLength: 20 }), (json, tail) => {
        const head = Buffer.from(JSON.stringify(json));
        refusedFields((problems) => decodeInferRequest(Buffer.concat([head, tail]), head.byteLength, problems));
      }),
      { numRuns: 500 },
    );
  });
});
