import { join } from 'node:path';
import { expect, it } from 'vitest';
import { trainTinyModel } from '../fixtures/tinyModel.ts';
import { first, folder, freshPlace, PARTITION, put, run, second } from '../publish/partitionUnderTest.ts';
import { testEventBus } from '../support/eventBridge/eventBridgeDouble.ts';
import { runMain } from './runMain.ts';

const bus = testEventBus();

it('rollback tells the bus that it is given, and says so when the bus refuses', async () => {
  const { bundle } = await trainTinyModel(join(folder, 'model'));
  const place = freshPlace(folder);
  for (const rows of [first, second]) {
    await put(place, 'a.parquet', rows);
    await run(place, bundle);
  }
  const where = ['--scores', place.root, '--partition', PARTITION, '--reason', 'wrong day'];
  const rollback = (...more: readonly string[]) => runMain('rollback', ...where, ...more);
  const rolled = await rollback('--bus', 'scores');
  expect(rolled).toMatchObject({ exitCode: 0, stderr: '' });
  expect(bus.double.entries).toMatchObject([{ EventBusName: 'scores' }]);
  expect(bus.double.events).toMatchObject([{ generation: 3, rows: 400, hold: 'wrong day' }]);

  bus.double.refusals.push({ kind: 'request', status: 400, type: 'AccessDeniedException' });
  const { exitCode, stdout, stderr } = await rollback('--bus', 'scores');
  expect(exitCode).toBe(1);
  expect(stdout).toContain('generation 4');
  expect(stderr).toMatch(/^error: PUBLISH_NOT_ANNOUNCED: /);

  // Without a bus nobody is told.
  expect((await rollback()).exitCode).toBe(0);
  expect(bus.double.events).toHaveLength(1);
}, 60_000);
