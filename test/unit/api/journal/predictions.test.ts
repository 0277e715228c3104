import { afterEach, describe, expect, it } from 'vitest';
import type { RecordSink } from '../../../../api/serving/record-sink.ts';
import { ServingWorld } from '../../../support/serving-world.ts';
import { tinyModel } from '../../../support/tiny-model.ts';
import { idsOfFrames, openWriter, segmentsOf, temporaryFolder } from './support.ts';

let world: ServingWorld;
afterEach(() => world.destroy());

async function givenModel(): Promise<ServingWorld> {
  const made = await ServingWorld.create();
  made.addVersion('m', 1, tinyModel({ weights: [0], bias: 0.1, link: 'identity' }));
  made.route('m', [{ variant: 'champion', version: 1, weightPercent: 100 }]);
  return made;
}

describe('a prediction', () => {
  it('is answered when its record is kept, not before', async () => {
    world = await givenModel();
    let keep: () => void = () => undefined;
    const kept = new Promise<void>((resolve) => {
      keep = resolve;
    });
    const sink: RecordSink = {
      write: () => undefined,
      flushed: () => kept,
      queued: () => 0,
      dropped: () => 0,
      close: () => Promise.resolve(),
    };
    const serving = await world.started({ sink });
    let answered = false;
    const answer = serving.predict('m', [{ entityId: null, features: { x: 1 } }]).then(() => (answered = true));
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(answered).toBe(false);
    keep();
    await answer;
    expect(answered).toBe(true);
  });

  it('shares its write with all that shared its run', async () => {
    world = await givenModel();
    const dir = temporaryFolder();
    const { writer, instance } = openWriter(dir);
    const serving = await world.started({ sink: writer });
    const ask = (rows: number) =>
      serving.predict(
        'm',
        Array.from({ length: rows }, () => ({ entityId: null, features: { x: 1 } })),
      );
    await Promise.all([...Array.from({ length: 40 }, () => ask(1)), ask(20)]);
    const frames = segmentsOf(dir, instance).flatMap(idsOfFrames);
    expect(frames.map((frame) => frame.length)).toEqual([60]);
  });
});
