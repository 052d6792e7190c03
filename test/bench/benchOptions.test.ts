import { describe, expect, test } from 'vitest';
import { parseOptions } from '../../bench/job/benchOptions.ts';

describe('parseOptions', () => {
  test('without options, peers run the graph as trained: what somebody without this project would have', () => {
    expect(parseOptions([])).toMatchObject({
      rows: [200_000],
      threads: [1, 2],
      peers: ['pyarrow', 'polars', 'duckdb'],
      peerGraphs: ['trained'],
      models: {},
    });
  });

  test('numbers of rows run once each from the fewest on, whatever their order', () => {
    expect(parseOptions(['--rows', '20000000,1000000,20000000']).rows).toEqual([1_000_000, 20_000_000]);
  });

  test('both graphs can be asked for, another one is refused', () => {
    expect(parseOptions(['--peer-graph', 'trained,cleaned']).peerGraphs).toEqual(['trained', 'cleaned']);
    expect(() => parseOptions(['--peer-graph', 'pruned'])).toThrow('expected trained, cleaned, found pruned');
  });

  test('a number of rows that is none is refused', () => {
    for (const text of ['0', '1e3.5', '', '5,x']) {
      expect(() => parseOptions(['--rows', text])).toThrow('expected a whole number above 0');
    }
  });
});
