import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExamineRequest } from '../../models/doctor/examination.ts';
import { parseSignatureFile } from '../../models/doctor/signature-file.ts';

export type ExamineOptions = Partial<Omit<ExamineRequest, 'signature' | 'onnxPath'>> & {
  /** As a person writes it. */
  readonly signature?: string;
};

/** Writes bytes to a file of their own and hands its examination's request to `use`. */
export async function withModelFile<T>(
  bytes: Uint8Array,
  options: ExamineOptions,
  use: (request: ExamineRequest) => Promise<T>,
): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-doctor-'));
  try {
    const onnxPath = join(folder, 'model.onnx');
    await writeFile(onnxPath, bytes);
    const { signature, ...rest } = options;
    return await use({
      onnxPath,
      signature: signature === undefined ? null : parseSignatureFile(signature),
      defaults: { entity: null, target: null, risk: { medium: 0.3, high: 0.6 } },
      samples: [],
      ...rest,
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
