import type { PredictRequest, RowText } from './contract.ts';

/** A request whose features are parsed when somebody asks for them, which hardly anybody does. */
export class TextRequest implements PredictRequest {
  readonly entityId: string | null;
  readonly #row: RowText;
  #features: unknown = undefined;

  constructor(row: RowText) {
    this.entityId = row.entityId;
    this.#row = row;
  }

  get featuresJson(): string {
    const { text, featuresAt, featuresEnd } = this.#row;
    return text.slice(featuresAt, featuresEnd);
  }

  get features(): unknown {
    this.#features ??= JSON.parse(this.featuresJson);
    return this.#features;
  }
}
