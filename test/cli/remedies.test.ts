import { describe, expect, test } from 'vitest';
import { remedyOf } from '../../lib/cli/remedies.ts';

describe('what to do about an error', () => {
  test('stands in the manual for its code, and is told without markup', () => {
    expect(remedyOf('STORAGE_FULL')).toBe('make room and run again');
    expect(remedyOf('PUBLISH_GATE_BLOCKED')).toBe('see Gates (docs/gates.md)');
    expect(remedyOf('INIT_NO_KEY')).toContain('--keys');
  });

  test('is left out where the manual only points at the message, or knows nothing', () => {
    expect(remedyOf('STORAGE_READ_FAILED')).toBeUndefined();
    expect(remedyOf('NO_SUCH_CODE')).toBeUndefined();
  });
});
