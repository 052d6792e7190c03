import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { handler as publishHandler } from '../../functions/publish.ts';
import type { ModelBundle } from '../../lib/bundle/loadBundle.ts';
import { runCli } from '../../lib/cli/runCli.ts';
import { gateSettingsSchema } from '../../lib/job/gateSettings.ts';
import { readPointer } from '../../lib/publish/pointer.ts';
import { rollBack } from '../../lib/publish/rollBack.ts';
import { trainTinyModel } from '../fixtures/tinyModel.ts';
import {
  first,
  freshPlace,
  PARTITION,
  type Place,
  put,
  run,
  runOf,
  second,
} from '../publish/partitionUnderTest.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { testEventBus } from '../support/eventBridge/eventBridgeDouble.ts';

const folder = temporaryFolder();

// What the function that publishes tells readers. `run` publishes as a publisher does that is killed with its flip.
const bus = testEventBus();
let bundle: ModelBundle;
beforeAll(async () => {
  ({ bundle } = await trainTinyModel(join(folder, 'model')));
}, 60_000);
beforeEach(() => {
  process.env.EVENT_BUS_NAME = 'scores';
});
afterAll(() => {
  vi.restoreAllMocks();
  delete process.env.EVENT_BUS_NAME;
});

async function flipped(): Promise<Place> {
  const place = freshPlace(folder);
  await put(place, 'a.parquet', second);
  await run(place, bundle);
  return place;
}

/** What the function is asked for a partition as it is. */
async function publishAgain(place: Place): Promise<string> {
  return (await publishHandler(runOf(place, bundle))).kind;
}

const told = () => bus.double.events.map(({ generation, rows, hold }) => [generation, rows, hold]);

describe('publish', () => {
  it('tells of a flip whose publisher was killed before it told anybody, once', async () => {
    const place = await flipped();
    expect(await publishAgain(place)).toBe('unchanged');
    expect(await publishAgain(place)).toBe('unchanged');
    expect(told()).toEqual([[1, 150, null]]);
    expect(bus.double.entries).toMatchObject([{ EventBusName: 'scores' }]);
    expect(bus.double.events).toMatchObject([{ scores: place.root, partition: PARTITION }]);
  });

  it('fails when the bus refuses, so that it is tried again, and tells then', async () => {
    const place = await flipped();
    bus.double.refusals.push({ kind: 'request', status: 400, type: 'AccessDeniedException' });
    await expect(publishAgain(place)).rejects.toMatchObject({ code: 'PUBLISH_NOT_ANNOUNCED' });
    expect(await publishAgain(place)).toBe('unchanged');
    expect(told()).toEqual([[1, 150, null]]);
  });

  it('tells of a roll-back that it meets', async () => {
    const place = await flipped();
    await put(place, 'b.parquet', first);
    await run(place, bundle);
    await publishAgain(place);
    await rollBack(place.root, PARTITION, 'wrong day');
    expect(await publishAgain(place)).toBe('held');
    expect(await publishAgain(place)).toBe('held');
    expect(told()).toEqual([
      [2, 550, null],
      [3, 150, 'wrong day'],
    ]);
  });

  it('tells nobody without parts, and nobody at all without a bus', async () => {
    const place = await flipped();
    await put(place, 'b.parquet', first);
    expect(await publishAgain(place)).toBe('incomplete');
    expect(bus.double.requestCount).toBe(0);
    await run(place, bundle);
    for (const name of [undefined, 'none']) {
      delete process.env.EVENT_BUS_NAME;
      if (name !== undefined) process.env.EVENT_BUS_NAME = name;
      expect(await publishAgain(place)).toBe('unchanged');
    }
    expect(bus.double.requestCount).toBe(0);
  });

  it('tells operators of what a gate has blocked, with the reasons, each time that it is met', async () => {
    const place = await flipped();
    await put(place, 'a.parquet', []);
    await run(place, bundle, { gates: gateSettingsSchema.parse({}) });
    const blocked = await publishHandler(runOf(place, bundle, { gates: gateSettingsSchema.parse({}) }));
    expect(blocked).toMatchObject({ kind: 'refused', error: 'PartitionRefused' });
    expect(blocked.problem).toMatch(/^dt=2024-03-09 is blocked by a gate: PUBLISH_GATE_BLOCKED: rows: /);
    expect(bus.double.entries).toMatchObject([{ DetailType: 'Scores Blocked' }]);
    expect(bus.double.events).toMatchObject([
      { partition: PARTITION, generation: 1, rows: 0, problemCount: 1 },
    ]);
  });

  it('tells operators the command that releases what is blocked, and which does so', async () => {
    const place = await flipped();
    await put(place, 'a.parquet', []);
    await run(place, bundle, { gates: gateSettingsSchema.parse({}) });
    await publishHandler(runOf(place, bundle, { gates: gateSettingsSchema.parse({}) }));
    const { releaseCommand } = bus.double.events[0] as unknown as { releaseCommand: string };
    expect(releaseCommand).toBe(
      `npx ncs4cvr release --scores ${place.root} --partition ${PARTITION} --override 'REASON'`,
    );
    const print = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
    const args = releaseCommand.replace("'REASON'", 'better-than-nothing').split(' ').slice(2);
    const exitCode = await runCli(args).finally(() => print.mockRestore());
    expect(exitCode).toBe(0);
    expect((await readPointer(place.root, PARTITION)).pointer?.current).toMatchObject({
      ...{ rows: 0, isReleased: true },
    });
  });
});
