import { describe, expect, it } from 'vitest';
import { nearestName } from '../../../models/nearest-name.ts';

describe('nearestName', () => {
  it.each([
    ['entitty', 'entity'],
    ['acu', 'auc'],
    ['TENURE', 'tenure'],
    ['delimeter', 'delimiter'],
  ])('takes %s for %s', (wrong, meant) => {
    expect(nearestName(wrong, ['name', 'auc', 'tenure', 'entity', 'delimiter'])).toBe(meant);
  });

  it('suggests nothing when nothing is near', () => {
    expect(nearestName('colour', ['name', 'entity'])).toBeNull();
  });
});
