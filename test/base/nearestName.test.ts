import { describe, expect, it } from 'vitest';
import { nearestName } from '../../lib/base/nearestName.ts';

const NAMES = ['user_id', 'video_id', 'click', '--model', '--output'];

describe('nearestName', () => {
  it.each([
    ['User_ID', 'user_id'],
    ['user_di', 'user_id'],
    ['clik', 'click'],
    ['--modle', '--model'],
    ['x', undefined],
    ['entirely', undefined],
  ])('takes %s for %s', (name, nearest) => {
    expect(nearestName(name, NAMES)).toBe(nearest);
  });

  it('prefers the same word in another case to a nearer one', () => {
    expect(nearestName('ABC', ['ABD', 'abc'])).toBe('abc');
  });
});
