import { Tensor } from 'onnxruntime-node';
import { DomainError } from '../../domain/errors.ts';
import type { ForeignBinding, InputType } from '../manifest.ts';
import type { StringTable } from './string-table.ts';

/** Fills the inputs of an imported graph from encoded rows, row-major `[rows, width]`. */
export type Feed = (matrix: Float32Array, rows: number) => Record<string, Tensor>;

/** @param strings what the encoder wrote texts to; read for inputs that take strings */
export function createFeed({ input }: ForeignBinding, width: number, strings: StringTable): Feed {
  if (input.kind === 'matrix') {
    const { name, type } = input;
    return (matrix, rows) => ({ [name]: tensorOf(type, matrix, [rows, width], strings) });
  }
  const { columns } = input;
  return (matrix, rows) => {
    const feeds: Record<string, Tensor> = {};
    for (const [at, { name, type, rank }] of columns.entries()) {
      const column = new Float32Array(rows);
      for (let row = 0; row < rows; row += 1) column[row] = matrix[row * width + at] as number;
      feeds[name] = tensorOf(type, column, rank === 1 ? [rows] : [rows, 1], strings);
    }
    return feeds;
  };
}

function tensorOf(type: InputType, values: Float32Array, dims: readonly number[], strings: StringTable): Tensor {
  switch (type) {
    case 'float32':
      return new Tensor('float32', values, dims);
    case 'float64':
      return new Tensor('float64', Float64Array.from(values), dims);
    case 'int32':
      return new Tensor('int32', Int32Array.from(values), dims);
    case 'int64':
      return new Tensor('int64', BigInt64Array.from(values as unknown as Iterable<number>, toInt64), dims);
    case 'bool':
      return new Tensor('bool', Uint8Array.from(values, Number), dims);
    case 'string':
      return new Tensor(
        'string',
        Array.from(values, (number) => strings.textOf(number)),
        dims,
      );
  }
}

/** Where missing values are flagged and not refused, the doctor has made sure that no NaN comes here. */
const toInt64 = (value: number): bigint => BigInt(Math.trunc(value));

/**
 * The column with the probabilities out of `[N]` or `[N, K]`.
 * @throws DomainError `internal` when the graph gave something else than at its examination
 */
export function readProbabilities(
  outputs: Readonly<Record<string, { readonly data: unknown; readonly dims: readonly number[] } | undefined>>,
  { name, column }: ForeignBinding['output'],
  rows: number,
): Float32Array {
  const output = outputs[name];
  const data = output?.data;
  if (output === undefined || !(data instanceof Float32Array || data instanceof Float64Array)) {
    throw new DomainError('internal', `The graph gives no float tensor ${name}`);
  }
  const stride = data.length / rows;
  if (output.dims[0] !== rows || stride <= column) {
    const message = `The graph answers ${rows} rows with a tensor ${name} of [${output.dims.join(', ')}]`;
    throw new DomainError('internal', message);
  }
  if (stride === 1 && data instanceof Float32Array) return data;
  const probabilities = new Float32Array(rows);
  for (let row = 0; row < rows; row += 1) probabilities[row] = data[row * stride + column] as number;
  return probabilities;
}
