import { join } from 'node:path';
import { expect, it } from 'vitest';
import { trainTinyModel } from '../fixtures/tinyModel.ts';
import { first, freshPlace, PARTITION, put, run, second } from '../publish/partitionUnderTest.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { testEventBus } from '../support/eventBridge/eventBridgeDouble.ts';
import { runMain } from './runMain.ts';

const folder = temporaryFolder();

const bus = testEventBus();

it('rollback tells the bus that it is given, says so when the bus refuses, and tells it when repeated', async () => {
  const { bundle } = await trainTinyModel(join(folder, 'model'));
  const place = freshPlace(folder);
  for (const rows of [first, second]) {
    await put(place, 'a.parquet', rows);
    await run(place, bundle);
  }
  const where = ['--scores', place.root, '--partition', PARTITION, '--reason', 'wrong day'];
  const rollback = (...more: readonly string[]) => runMain('rollback', ...where, ...more);
  const refusal = { kind: 'request', status: 400, type: 'AccessDeniedException' } as const;
  bus.double.refusals.push(refusal, refusal);
  const { exitCode, stdout, stderr } = await rollback('--bus', 'scores');
  expect(exitCode).toBe(1);
  expect(stdout).toContain('generation 3');
  expect(stderr).toMatch(/^error: PUBLISH_NOT_ANNOUNCED: /);
  // One object, which says what is wrong.
  const refused = await rollback('--bus', 'scores', '--json');
  expect(refused.exitCode).toBe(1);
  expect(JSON.parse(refused.stdout)).toMatchObject({ error: { code: 'PUBLISH_NOT_ANNOUNCED' } });

  const rolled = await rollback('--bus', 'scores');
  expect(rolled.stdout).toContain('generation 3; rolled back before, nothing was changed; held');
  expect(rolled).toMatchObject({ exitCode: 0, stderr: '' });
  expect(bus.double.entries).toMatchObject([{ EventBusName: 'scores' }]);
  expect(bus.double.events).toMatchObject([{ generation: 3, rows: 400, hold: 'wrong day' }]);

  // Told once, however often it is repeated; without a bus nobody is told.
  expect((await rollback('--bus', 'scores')).exitCode).toBe(0);
  expect((await rollback()).exitCode).toBe(0);
  expect(bus.double.events).toHaveLength(1);
}, 60_000);
