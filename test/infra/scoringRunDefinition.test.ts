import asl from 'asl-validator';
import { describe, expect, it } from 'vitest';
import type { Definition } from '../support/stepFunctions/runStateMachine.ts';
import { scoringRun } from '../support/stepFunctions/scoringRun.ts';

describe('the definition of the state machine', () => {
  it('is valid Amazon States Language', () => {
    const { isValid, errorsText } = asl(scoringRun);
    expect(isValid, errorsText()).toBe(true);
  });

  it('is bounded: a day for a run, so many units at a time, tries and failures, and results of any size', () => {
    expect(scoringRun).toMatchObject({ TimeoutSeconds: 86_400 });
    const outer = mapsOf(scoringRun);
    const inner = outer.flatMap(([, map]) => mapsOf(map.ItemProcessor as Definition));
    expect(outer.map(([name]) => name)).toEqual(['RunPartitions']);
    expect(inner.map(([name]) => name)).toEqual(['ScoreUnits']);
    for (const [name, map] of [...outer, ...inner]) {
      expect(map, name).toMatchObject({
        ItemProcessor: { ProcessorConfig: { Mode: 'DISTRIBUTED', ExecutionType: 'STANDARD' } },
        ItemReader: { Resource: 'arn:aws:states:::s3:getObject' },
        // A map's results don't fit into a state's output: they go to S3, and the input goes on.
        ResultWriter: { Resource: 'arn:aws:states:::s3:putObject' },
        ResultPath: name === 'RunPartitions' ? '$.published' : '$.scored',
        MaxConcurrencyPath: name === 'RunPartitions' ? '$.run.partitionConcurrency' : '$.mapConcurrency',
        ToleratedFailurePercentage: 100,
      });
    }
    const machines = [scoringRun, ...[...outer, ...inner].map(([, map]) => map.ItemProcessor as Definition)];
    const tasks = machines.flatMap(({ States }) =>
      Object.values(States).filter(({ Type }) => Type === 'Task'),
    );
    expect(tasks).toHaveLength(8);
    expect(tasks.every(({ Retry }) => (Retry as unknown[]).length > 0)).toBe(true);
  });
});

const mapsOf = ({ States }: Definition) => Object.entries(States).filter(([, { Type }]) => Type === 'Map');
