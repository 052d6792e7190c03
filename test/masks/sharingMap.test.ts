import { describe, expect, it } from 'vitest';
import { RandomStream } from '../../lib/base/randomStream.ts';
import { sharingMap } from '../../lib/masks/sharingMap.ts';
import { layerConnections } from '../../lib/masks/trainUnderMasks.ts';
import type { NetworkShape } from '../../lib/network/networkShape.ts';
import type { TaskMasks } from '../../lib/network/taskMasks.ts';

/** Two crossed fields of width 3 and a numeric feature: 4 + 2 x 3 + 2 inputs. */
const shape = {
  config: { kind: 'ncs', embeddingWidth: 3 },
  fieldNames: ['user', 'item'],
  layout: { denseWidth: 2, numerics: [{ name: 'age' }] },
  inputWidth: 12,
  layerWidths: [12, 50, 5],
} as unknown as NetworkShape;

function randomMasks(): TaskMasks {
  const random = new RandomStream(7);
  const mask = (size: number) =>
    Uint8Array.from({ length: size }, () => (random.nextUniform() < 0.4 ? 1 : 0));
  return { click: [mask(600), mask(250)], conversion: [mask(600), mask(250)] };
}

describe('the map of two masks', () => {
  it('counts every connection of a layer once, by its use', () => {
    const masks = randomMasks();
    const sums = sharingMap(shape, masks).map(({ rows }) => {
      const sum = (key: 'shared' | 'clickOnly' | 'conversionOnly' | 'dead') =>
        rows.reduce((total, row) => total + row[key], 0);
      const [shared, clickOnly] = [sum('shared'), sum('clickOnly')];
      return { shared, clickOnly, conversionOnly: sum('conversionOnly'), dead: sum('dead') };
    });
    expect(sums).toEqual(layerConnections(masks));
  });

  it('puts the inputs of the first layer together by feature in their order, and of others with their neighbours', () => {
    const [first, second] = sharingMap(shape, randomMasks());
    expect(first!.rows.map(({ name, inputs }) => [name, inputs])).toEqual([
      ['cross', 4],
      ['user', 3],
      ['item', 3],
      ['age', 2],
    ]);
    expect(second!.rows).toHaveLength(24);
    expect(second!.rows[0]!.name).toBe('units 0 to 1');
    expect(second!.rows.at(-1)!.name).toBe('units 47 to 49');
  });

  it('says where in the layer a use is, in per cent of each block of units', () => {
    const click = new Uint8Array(600);
    const conversion = new Uint8Array(600);
    // Of the field `item`, inputs 7 to 9: both tasks keep unit 0, one keeps unit 49 from a third of the inputs.
    for (const input of [7, 8, 9]) click[input * 50] = conversion[input * 50] = 1;
    click[8 * 50 + 49] = 1;
    const rest = new Uint8Array(250);
    const [first] = sharingMap(shape, { click: [click, rest], conversion: [conversion, rest] });
    const item = first!.rows.find(({ name }) => name === 'item')!;
    // 24 blocks of 50 units: the first has units 0 and 1, the last one 47 to 49.
    expect(item.sharedPercents).toBe(`50${'00'.repeat(23)}`);
    expect(item.clickPercents).toBe(`${'00'.repeat(23)}11`);
    expect(item.conversionPercents).toBe('00'.repeat(24));
    const all = sharingMap(shape, {
      click: [new Uint8Array(600).fill(1), rest],
      conversion: [new Uint8Array(600).fill(1), rest],
    });
    expect(all[0]!.rows[0]!.sharedPercents).toBe('99'.repeat(24));
  });
});
