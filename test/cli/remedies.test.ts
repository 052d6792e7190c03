import { describe, expect, test } from 'vitest';
import { remediesIn, remedyOf } from '../../lib/cli/remedies.ts';

describe('what to do about an error', () => {
  test('stands in the manual for its code, and is told without markup', () => {
    expect(remedyOf('STORAGE_FULL')).toBe('make room and run again');
    expect(remedyOf('PUBLISH_GATE_BLOCKED')).toBe(
      'mend the input and plan again, or publish it as it is with release: Gates (docs/gates.md)',
    );
    expect(remedyOf('INIT_NO_KEY')).toContain('--keys');
    // A column of the wrong type is there: that it may be missing is no help.
    expect(remedyOf('SHARD_COLUMN_TYPE')).not.toContain('required');
    expect(remedyOf('TRAINING_NO_DATE')).toContain('partitions of the config');
    expect(remedyOf('SHARD_COLUMN_MISSING')).toContain('"required": false');
  });

  test('is told once for messages that name codes, by the first code of each that has something to do', () => {
    const messages = [
      'x/MY_DATA/a.parquet, 5 rows: STORAGE_FULL: no room for STORAGE_READ_FAILED',
      'STORAGE_FULL: y',
      'STORAGE_READ_FAILED: z',
      'no code',
    ];
    expect(remediesIn(messages)).toEqual(['make room and run again']);
  });

  test('is left out where the manual only points at the message, or knows nothing', () => {
    expect(remedyOf('STORAGE_READ_FAILED')).toBeUndefined();
    expect(remedyOf('NO_SUCH_CODE')).toBeUndefined();
  });
});
