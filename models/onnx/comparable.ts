import type { ArtefactManifest } from '../manifest.ts';
import type { ScoredFile } from './open-scorer.ts';

/** What scoring the stored file of a version needs. */
export const scoredFile = ({ signature, foreign }: ArtefactManifest, onnxPath: string): ScoredFile => ({
  onnxPath,
  signature,
  ...(foreign === undefined ? {} : { foreign }),
});

type Described = Pick<ArtefactManifest, 'signature' | 'foreign'>;

/**
 * Whether a version can be asked about another one's held-out rows. Versions trained here share their data; an imported
 * one may name its features otherwise, or know no gaps where the rows have some.
 */
export function takesRowsOf(version: Described, other: Described): boolean {
  if (version.foreign === undefined && other.foreign === undefined) return true;
  const given = new Map(other.signature.features.map((f) => [f.name, f]));
  return version.signature.features.every(({ name, type, missing }) => {
    const row = given.get(name);
    const gapsFit = version.foreign === undefined || missing === 'flag' || row?.missing === 'reject';
    return row?.type === type && gapsFit;
  });
}
