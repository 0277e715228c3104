/** `POST .../infer`: the request as the protocol writes it, in JSON and with binary tensors. Knows no model. */
import { DomainError } from '../../../domain/errors.ts';
import { isObject, parseClientObject } from '../client-json.ts';
import type { Fields } from '../client-json.ts';
import type { ProblemList } from '../problem-list.ts';
import { DATATYPES, fixedType } from './datatypes.ts';
import type { TensorValue } from './datatypes.ts';
import { readTensorBytes } from './tensor-bytes.ts';

export interface InputTensor {
  readonly name: string;
  readonly datatype: string;
  /** One or two dimensions; the first counts the rows. */
  readonly shape: readonly number[];
  /** Row-major. `null` stands for a missing value, which only JSON can write outside of floats (there it is NaN). */
  readonly values: readonly TensorValue[];
}

export interface RequestedOutput {
  readonly name: string;
  /** `undefined`: as the request says for all. */
  readonly binary: boolean | undefined;
}

export interface InferRequest {
  readonly id: string | undefined;
  readonly inputs: readonly InputTensor[];
  /** Empty: the protocol's default, all of them. */
  readonly outputs: readonly RequestedOutput[];
  readonly binaryByDefault: boolean;
}

/** A model of 2,000 features has as many inputs. */
const INPUTS_MAX = 5_000;
const NAME_SHOWN_MAX = 200;
const ID_LENGTH_MAX = 1_024;

/**
 * @param jsonBytes length of the JSON before the tensors (`Inference-Header-Content-Length`); `null`: all is JSON
 * @param problems takes what is wrong with the tensors; the caller refuses
 * @throws DomainError `malformedRequest`, `invalidInput` (nothing can be read)
 */
export function decodeInferRequest(body: Buffer, jsonBytes: number | null, problems: ProblemList): InferRequest {
  const length = jsonBytes ?? body.byteLength;
  if (length > body.byteLength || length === 0) {
    throw new DomainError('malformedRequest', 'The length of the JSON before the tensors cannot be right', [
      { field: 'Inference-Header-Content-Length', message: `says ${length}; the body has ${body.byteLength} bytes` },
    ]);
  }
  const fields = parseClientObject(body.subarray(0, length));
  const { id } = fields;
  const usableId = id === undefined || (typeof id === 'string' && id.length <= ID_LENGTH_MAX);
  if (!usableId) problems.addField('id', `expected a text of at most ${ID_LENGTH_MAX} characters`);
  return {
    id: typeof id === 'string' && usableId ? id : undefined,
    inputs: readInputs(fields['inputs'], body.subarray(length), problems),
    outputs: readOutputs(fields['outputs'], problems),
    binaryByDefault: readFlag(fields['parameters'], 'binary_data_output', 'parameters', problems) ?? false,
  };
}

function readInputs(value: unknown, binary: Buffer, problems: ProblemList): readonly InputTensor[] {
  if (!Array.isArray(value) || value.length === 0 || value.length > INPUTS_MAX) {
    problems.addField('inputs', `expected a list of 1 to ${INPUTS_MAX} tensors`);
    return [];
  }
  const tensors: InputTensor[] = [];
  const seen = new Set<string>();
  let at = 0;
  for (const [i, item] of (value as unknown[]).entries()) {
    const name = isObject(item) ? item['name'] : undefined;
    if (!isObject(item) || typeof name !== 'string') {
      problems.addField(`inputs[${i}]`, 'expected an object with a name');
      continue;
    }
    const field = `inputs.${name.slice(0, NAME_SHOWN_MAX)}`;
    if (seen.has(name)) problems.addField(field, 'is there twice');
    seen.add(name);
    const size = readSize(item['parameters'], field, problems);
    const bytes = size === null ? null : binary.subarray(at, at + size);
    at += size ?? 0;
    const tensor = readTensor(name, item, bytes, size, problems);
    if (tensor !== null) tensors.push(tensor);
  }
  if (at !== binary.byteLength) {
    problems.addField('inputs', `binary_data_size adds up to ${at} bytes, ${binary.byteLength} follow the JSON`);
  }
  return tensors;
}

function readTensor(
  name: string,
  item: Fields,
  bytes: Buffer | null,
  size: number | null,
  problems: ProblemList,
): InputTensor | null {
  const { datatype, data } = item;
  const field = `inputs.${name.slice(0, NAME_SHOWN_MAX)}`;
  const shape = readShape(item['shape'], field, problems);
  if (typeof datatype !== 'string' || !DATATYPES.includes(datatype)) {
    problems.addField(`${field}.datatype`, 'is not a datatype that is taken here', DATATYPES);
    return null;
  }
  if (shape === null) return null;
  if (bytes === null) {
    const values = readJsonData(datatype, data, shape, field, problems);
    return values === null ? null : { name, datatype, shape, values };
  }
  if (data !== undefined) problems.addField(`${field}.data`, 'is given twice: as JSON and as binary data');
  // Too few bytes at the end of the body: the sum of the sizes is reported.
  if (bytes.byteLength !== size) return null;
  const read = readTensorBytes(datatype, bytes, countOf(shape));
  if (read.ok) return { name, datatype, shape, values: read.values };
  const where = read.element === undefined ? field : `${field}.data[${read.element}]`;
  problems.addField(where, read.message);
  return null;
}

const countOf = (shape: readonly number[]): number => shape.reduce((product, d) => product * d, 1);

function readShape(value: unknown, field: string, problems: ProblemList): readonly number[] | null {
  const isShape =
    Array.isArray(value) &&
    value.length >= 1 &&
    value.length <= 2 &&
    value.every((d) => Number.isSafeInteger(d) && d >= 0);
  if (isShape && Number.isSafeInteger(countOf(value as number[]))) return value as number[];
  problems.addField(`${field}.shape`, 'expected [rows, 1]: two whole numbers');
  return null;
}

/** `null`: the data is in the JSON. */
function readSize(parameters: unknown, field: string, problems: ProblemList): number | null {
  const size = isObject(parameters) ? parameters['binary_data_size'] : undefined;
  if (size === undefined) return null;
  if (Number.isSafeInteger(size) && (size as number) >= 0) return size as number;
  problems.addField(`${field}.parameters.binary_data_size`, 'expected a number of bytes');
  return null;
}

/** Flat or nested: clients do either. */
function readJsonData(
  datatype: string,
  data: unknown,
  shape: readonly number[],
  field: string,
  problems: ProblemList,
): readonly TensorValue[] | null {
  if (!Array.isArray(data)) {
    problems.addField(`${field}.data`, 'expected a list');
    return null;
  }
  const flat = data.some(Array.isArray) ? flatten(data, shape) : (data as unknown[]);
  const count = countOf(shape);
  if (flat?.length !== count) {
    const found = flat === null ? 'its nesting is another' : `there are ${flat.length}`;
    problems.addField(`${field}.data`, `the shape [${shape.join(', ')}] holds ${count} elements, ${found}`);
    return null;
  }
  const type = fixedType(datatype);
  flat.forEach((value, i) => {
    const fits = value === null || (type === undefined ? typeof value === 'string' : type.fits(value));
    if (!fits) problems.addField(`${field}.data[${i}]`, `expected ${type?.expectation ?? 'a text'} for ${datatype}`);
  });
  return flat as TensorValue[];
}

/** One level, each of the length that the shape says; `null` when it is not like that. */
function flatten(data: readonly unknown[], [rows, width]: readonly number[]): readonly unknown[] | null {
  if (data.length !== rows || width === undefined) return null;
  const isNested = data.every((row) => Array.isArray(row) && row.length === width && !row.some(Array.isArray));
  return isNested ? data.flat(1) : null;
}

function readOutputs(value: unknown, problems: ProblemList): readonly RequestedOutput[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value) || value.length > INPUTS_MAX) {
    problems.addField('outputs', 'expected a list');
    return [];
  }
  return (value as unknown[]).flatMap((item, i) => {
    const name = isObject(item) ? item['name'] : undefined;
    if (!isObject(item) || typeof name !== 'string') {
      problems.addField(`outputs[${i}]`, 'expected an object with a name');
      return [];
    }
    const field = `outputs.${name.slice(0, NAME_SHOWN_MAX)}`;
    const { parameters } = item;
    if (isObject(parameters) && parameters['classification'] !== undefined) {
      problems.addField(`${field}.parameters.classification`, 'is not offered: ask for label and probability');
    }
    return [{ name, binary: readFlag(parameters, 'binary_data', field, problems) }];
  });
}

function readFlag(parameters: unknown, name: string, field: string, problems: ProblemList): boolean | undefined {
  const value = isObject(parameters) ? parameters[name] : undefined;
  if (value === undefined || typeof value === 'boolean') return value;
  problems.addField(`${field}.${name}`, 'expected true or false');
  return undefined;
}
