import { examineFile } from '../../models/doctor/examine-file.ts';
import type { Examination, ExaminedModel } from '../../models/doctor/examination.ts';
import type { Finding } from '../../models/doctor/finding.ts';
import { withModelFile } from './examine-bytes.ts';
import type { ExamineOptions } from './examine-bytes.ts';
import { onnxFile } from './onnx-file.ts';
import type { OnnxFileOptions } from './onnx-file.ts';

export type ExaminedHere = Examination & {
  /** In the order they began. */
  readonly stages: readonly string[];
};

/** Examines in this process: for files that are wrong, and not hostile. */
export async function examineHere(bytes: Uint8Array, options: ExamineOptions = {}): Promise<ExaminedHere> {
  const stages: string[] = [];
  const examination = await withModelFile(bytes, options, (request) =>
    examineFile(request, (stage) => stages.push(stage)),
  );
  return { ...examination, stages };
}

/** Findings of a graph that must be refused. */
export async function findingsOf(file: OnnxFileOptions, options: ExamineOptions = {}): Promise<readonly Finding[]> {
  const examined = await examineHere(onnxFile(file), options);
  if (examined.ok) throw new Error('the graph was taken');
  return examined.findings;
}

/** What is known of a graph that must be taken. Measures it, which takes seconds. */
export async function modelOf(file: OnnxFileOptions, options: ExamineOptions = {}): Promise<ExaminedModel> {
  const examined = await examineHere(onnxFile(file), options);
  if (!examined.ok) throw new Error(JSON.stringify(examined.findings));
  return examined.model;
}
