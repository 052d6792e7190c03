import { describe, expect, it } from 'vitest';
import { didYouMean, nearestName } from '../../lib/base/nearestName.ts';

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

  it('takes the only name with a word more or less, whatever joins the words', () => {
    expect(nearestName('hotel', ['user_id', 'hotel_id'])).toBe('hotel_id');
    expect(nearestName('hotel_star_rating', ['hotel_id', 'starRating'])).toBe('starRating');
    expect(nearestName('hotel', ['hotel_id', 'hotel_price'])).toBeUndefined();
    expect(nearestName('hot', ['hotel_id'])).toBeUndefined();
    expect(nearestName('03/03', ['2024-03-09'])).toBeUndefined();
  });

  it('takes the only name that begins so, or that the name begins with, if that is enough to tell', () => {
    expect(nearestName('click', ['user_id', 'clicked'])).toBe('clicked');
    expect(nearestName('Converted', ['user_id', 'convert'])).toBe('convert');
    expect(nearestName('--out', NAMES)).toBe('--output');
    expect(nearestName('click', ['clicked', 'click_time'])).toBeUndefined();
    expect(nearestName('use', ['user_id'])).toBeUndefined();
  });

  it('prefers the same word in another case to a nearer one', () => {
    expect(nearestName('ABC', ['ABD', 'abc'])).toBe('abc');
  });

  it('prefers the same word with other punctuation to a nearer one, and any word to none', () => {
    expect(nearestName('video_id', ['video_ix', 'VideoID'])).toBe('VideoID');
    expect(nearestName('__', ['--'])).toBeUndefined();
  });
});

describe('didYouMean', () => {
  it('asks for the nearest name, or the only field with this name', () => {
    const names = [...NAMES, 'user.device.OS', 'a.size', 'b.size'];
    expect(
      ['clik', 'os', 'device.os', 'size', 'click', 'weight'].map((name) => didYouMean(name, names)),
    ).toEqual([
      ', did you mean "click"?',
      ', did you mean "user.device.OS"?',
      ', did you mean "user.device.OS"?',
      '',
      '',
      '',
    ]);
  });
});
