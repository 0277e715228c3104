import { InferenceSession } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { IR_VERSION_MAX, OPSET_MAX } from '../../../../models/doctor/supported.ts';
import { examineHere } from '../../../support/examine-here.ts';
import { AttributeType, DataLocation, DataType, node, onnxFile, tensor } from '../../../support/onnx-file.ts';
import type { OnnxFileOptions } from '../../../support/onnx-file.ts';

describe('a file that is no usable ONNX model', () => {
  it.each([
    ['', /empty/, /write it again/],
    ['PK\u0003\u0004...', /zip archive/, /torch.onnx.export/],
    ['\u0080\u0004\u0095', /pickle/, /skl2onnx/],
    ['\u001f\u008b\u0008', /gzip/, /gunzip/],
    ['tree\nversion=v4\n', /LightGBM text/, /convert_lightgbm/],
    ['{"learner": {}}', /JSON \(an XGBoost/, /convert_xgboost/],
    ['version https://git-lfs.github.com/spec/v1', /Git LFS/, /git lfs pull/],
    ['nothing of the kind', /not an ONNX model/, /skl2onnx/],
  ])('%j is recognised', async (content, message, fix) => {
    const { ok, findings, stages } = await examineHere(Buffer.from(content, 'latin1'));
    expect(ok).toBe(false);
    expect(findings).toMatchObject([
      { check: 'file', message: expect.stringMatching(message), fix: expect.stringMatching(fix) },
    ]);
    expect(stages).toEqual(['reading']);
  });

  it('is never loaded, wherever it was cut', async () => {
    const whole = onnxFile();
    for (let length = 1; length < whole.length; length += 7) {
      const { ok, findings, stages } = await examineHere(whole.subarray(0, length));
      expect([ok, findings[0]?.check, stages]).toEqual([false, 'file', ['reading']]);
    }
  });

  it('says that it is truncated when most of it is there', async () => {
    const { findings } = await examineHere(onnxFile().subarray(0, 80));
    expect(findings[0]?.message).toMatch(/^The file is truncated/);
  });
});

describe('a graph that is refused before it is loaded', () => {
  const outside = { name: 'w', dims: [1], dataType: DataType.FLOAT, dataLocation: DataLocation.EXTERNAL };
  const location = [{ key: 'location', value: '/etc/passwd' }];
  const within = {
    nodes: [
      node('If', ['c'], ['probability'], {
        attribute: [
          {
            name: 'then_branch',
            type: AttributeType.GRAPH,
            g: {
              node: [node('Add', ['input', 'w'], ['y'])],
              initializer: [{ ...outside, externalData: location }],
            },
          },
        ],
      }),
    ],
  };
  it.each<[string, OnnxFileOptions, string, RegExp, RegExp]>([
    ['a newer operator set', { opsets: { '': 99 } }, 'opset', /99 of ai.onnx; .* up to 26/, /target_opset=17/],
    [
      'a newer ML set',
      { opsets: { '': 17, 'ai.onnx.ml': 9 } },
      'opset',
      /9 of ai.onnx.ml; .* up to 5/,
      /ai.onnx.ml': 3/,
    ],
    ['no operator set', { opsets: {} }, 'opset', /does not say/, /target_opset/],
    ['a newer format', { irVersion: 99 }, 'opset', /format version 99/, /ir_version = 13/],
    [
      'a custom operator',
      { nodes: [node('Foo', ['input'], ['probability'], { domain: 'com.acme' })] },
      'operators',
      /com.acme\/Foo/,
      /leave that step out/,
    ],
    ['a loop', { nodes: [node('Loop', ['input'], ['probability'])] }, 'operators', /Loop/, /unroll/],
    [
      'data elsewhere',
      { constants: [{ ...outside, externalData: location }] },
      'externalData',
      /1 tensors \(w\)/,
      /save_as_external_data=False/,
    ],
    ['data elsewhere, in a branch', within, 'externalData', /1 tensors \(w\)/, /save_as_external_data=False/],
    [
      'half precision',
      { inputs: [tensor('input', ['n', 1], DataType.FLOAT16)] },
      'inputs',
      /FLOAT16/,
      /model.float\(\)/,
    ],
    [
      'a matrix of texts',
      { inputs: [tensor('input', ['n', 3], DataType.STRING)] },
      'inputs',
      /of type string/,
      /one input per column/,
    ],
    [
      'a fixed batch',
      { inputs: [tensor('input', [1, 3])] },
      'batch',
      /\[1, 3\]/,
      /dynamic_axes=\{'input': \{0: 'n'\}, 'probability'/,
    ],
    [
      'an image',
      { inputs: [tensor('input', ['n', 3, 8, 8])] },
      'inputs',
      /\[n, 3, 8, 8\], which is no table/,
      /reshape/,
    ],
    ['a huge shape', { inputs: [tensor('input', ['n', 1e12])] }, 'inputs', /1000000000000 columns/, /./],
    ['an unknown width', { inputs: [tensor('input', ['n', 'm'])] }, 'inputs', /how many columns/, /signature file/],
    [
      'two matrices',
      { inputs: [tensor('a', ['n', 3]), tensor('b', ['n', 2])] },
      'inputs',
      /a has 3 columns beside/,
      /one matrix/,
    ],
  ])('%s', async (_what, file, check, message, fix) => {
    const { findings, stages } = await examineHere(onnxFile(file));
    expect(findings[0]).toMatchObject({ check, severity: 'error', message: expect.stringMatching(message) });
    expect(findings[0]?.fix ?? 'none').toMatch(fix);
    expect(stages).toEqual(['reading']);
  });

  it('names everything that is wrong at once', async () => {
    const { findings } = await examineHere(onnxFile({ opsets: { '': 99, 'ai.onnx.ml': 9 }, irVersion: 99 }));
    expect(findings.map((f) => f.check)).toEqual(['opset', 'opset', 'opset']);
  });

  it('knows the limits of the onnxruntime in use', async () => {
    const load = (file: OnnxFileOptions) => InferenceSession.create(onnxFile(file), { logSeverityLevel: 4 });
    const { '': main = 0, 'ai.onnx.ml': ml = 0 } = OPSET_MAX;
    await expect(load({ opsets: { '': main, 'ai.onnx.ml': ml }, irVersion: IR_VERSION_MAX })).resolves.toBeDefined();
    await expect(load({ opsets: { '': main + 1 } })).rejects.toThrow(`ai.onnx is till opset ${main}`);
    await expect(load({ opsets: { '': main, 'ai.onnx.ml': ml + 1 } })).rejects.toThrow(`till opset ${ml}`);
    await expect(load({ irVersion: IR_VERSION_MAX + 1 })).rejects.toThrow(
      `max supported IR version: ${IR_VERSION_MAX}`,
    );
  });
});
