import { describe, expect, it } from 'vitest';
import { parseEvent } from '../../functions/parseEvent.ts';
import { startRequestSchema } from '../../functions/startRequest.ts';

function problemsOf(request: object): string {
  try {
    parseEvent(startRequestSchema, request);
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error('the request was taken');
}

describe('a request that starts a run', () => {
  it('is described as the kind of request that its keys make it', () => {
    const plan = problemsOf({ planUri: 5 });
    expect(plan).toContain('planUri: Invalid input: expected string');
    expect(plan).not.toContain('partitions');
    const partitions = problemsOf({ partitions: { kind: 'dates', from: 'May', to: '2026-05-02' } });
    expect(partitions).toContain('partitions.from: ');
    expect(partitions).not.toContain('planUri');
  });

  it('of an arrival has its partition, its round and its wait', () => {
    expect(problemsOf({ arrival: { partition: 'dt=2024-03-09', round: 0 } })).toMatch(
      /arrival\.round: .*\n.*arrival\.waitSeconds: /,
    );
  });

  it('with a key of neither kind is refused by the name of the key', () => {
    expect(problemsOf({ partitions: { kind: 'newest' }, modelUrl: 's3://models/m' })).toContain('"modelUrl"');
  });
});
