import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import type { ArrivalInput, StartExecution } from '../../lib/arrivals/arrivalRun.ts';
import { arrivalsUri } from '../../lib/arrivals/arrivalState.ts';
import { beginArrival, finishArrival, isArrivalPending } from '../../lib/arrivals/finishArrival.ts';
import { noticeArrival } from '../../lib/arrivals/noticeArrival.ts';
import { remedyOf } from '../../lib/cli/remedies.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';

// The protocol step by step, on files; arrivals.property.test.ts has the races.
const folder = temporaryFolder();
let place: { root: string; partition: string };
/** Executions by name, in the order of their starts. */
let executions: Map<string, { input: ArrivalInput; status: 'running' | 'ended' }>;
let calls: string[];
/** The next start dies before it has reached the service, or before its answer comes. */
let death: 'before' | 'after' | undefined;

beforeEach(() => {
  place = { root: mkdtempSync(join(folder, 'root-')), partition: 'region=eu/dt=2022-05-06' };
  executions = new Map();
  calls = [];
  death = undefined;
});

const start: StartExecution = async (name, input) => {
  calls.push(name);
  const dies = death;
  death = undefined;
  if (dies === 'before') throw new Error('killed');
  const former = executions.get(name);
  if (former === undefined) executions.set(name, { input, status: 'running' });
  else expect(input, 'a name has one input').toEqual(former.input);
  if (dies === 'after') throw new Error('killed');
  return former?.status ?? 'running';
};
const notice = (waitSeconds = 120) => noticeArrival(place, { waitSeconds, start });
const finish = (round: number) => finishArrival(place, round, { waitSeconds: 120, start });
const state = () => JSON.parse(readFileSync(arrivalsUri(place), 'utf8'));
const rounds = () => [...executions.values()].map(({ input }) => input.arrival.round);
const end = (round: number) => {
  [...executions.values()][round - 1]!.status = 'ended';
};
const running = { isRunning: true, isPending: false };
const pending = { isRunning: true, isPending: true };
const idle = { isRunning: false, isPending: false };

describe('whether another round follows', () => {
  it('is told to a run that something landed behind, also when that round has begun, and to no other', async () => {
    await notice();
    await beginArrival(place, 1);
    expect(await isArrivalPending(place, 1)).toBe(false);
    await notice();
    expect(await isArrivalPending(place, 1)).toBe(true);
    await finish(1);
    expect([await isArrivalPending(place, 1), await isArrivalPending(place, 2)]).toEqual([true, false]);
    await finish(2);
    expect(await isArrivalPending(place, 2)).toBe(false);
  });
});

describe('a shard that lands', () => {
  it('in an idle partition starts a run that waits, under a name of at most 80 characters', async () => {
    await notice(90);
    const { partition } = place;
    expect(state()).toEqual({
      formatVersion: 2,
      partition,
      round: 1,
      waitSeconds: 90,
      isBegun: false,
      ...running,
    });
    expect([...executions.values()]).toEqual([
      { input: { arrival: { partition, round: 1, waitSeconds: 90 } }, status: 'running' },
    ]);
    expect(calls[0]).toMatch(/^arrival-[0-9a-f]{40}-1$/);
    await finish(1);
    end(1);
    await notice();
    expect(rounds()).toEqual([1, 2]);
  });

  it('while a run is on its way is remembered, once, and starts nothing', async () => {
    for (let i = 0; i < 3; i++) await notice();
    expect(rounds()).toEqual([1]);
    expect(state()).toMatchObject({ round: 1, ...pending });
  });

  it('in another partition, or for another root, has rounds and names of its own', async () => {
    await notice();
    place = { ...place, partition: 'dt=2022-05-06' };
    await notice();
    place = { ...place, root: mkdtempSync(join(folder, 'root-')) };
    await notice();
    expect(new Set(calls).size).toBe(3);
    expect(rounds()).toEqual([1, 1, 1]);
  });

  it.each(['before', 'after'] as const)('is told of again when it was killed %s the start', async (when) => {
    death = when;
    await expect(notice()).rejects.toThrow('killed');
    expect(state()).toMatchObject({ round: 1, ...running });
    expect(rounds()).toEqual(when === 'before' ? [] : [1]);
    await notice();
    expect(rounds()).toEqual([1]);
  });

  it('takes over from a run that has ended without finishing', async () => {
    await notice();
    await notice();
    end(1);
    await notice();
    expect(rounds()).toEqual([1, 2]);
    expect(state()).toMatchObject({ round: 2, ...running });
  });

  it('starts a run with the wait of its round, whatever the setting is by then', async () => {
    death = 'before';
    await expect(notice(90)).rejects.toThrow('killed');
    await notice(5);
    expect([...executions.values()][0]!.input.arrival.waitSeconds).toBe(90);
  });

  it('passes over the names of a document that was deleted', async () => {
    for (let round = 1; round <= 3; round++) {
      await notice();
      await finish(round);
      end(round);
    }
    rmSync(arrivalsUri(place));
    await notice();
    expect(rounds()).toEqual([1, 2, 3, 4]);
    expect(state()).toMatchObject({ round: 4, ...running });
  });

  it('is refused where the document is not what this program writes', async () => {
    await notice();
    writeFileSync(arrivalsUri(place), '{"formatVersion":1,"round":"one"}');
    await expect(notice()).rejects.toMatchObject({
      code: 'ARRIVALS_INVALID',
      problems: expect.arrayContaining([expect.stringMatching(/^round: /)]),
    });
  });

  it('of a later format is not called damaged: removed, its run would be forgotten', async () => {
    await notice();
    const later = JSON.stringify({ ...state(), formatVersion: 3, since: 'noon' });
    writeFileSync(arrivalsUri(place), later);
    for (const work of [notice, () => finish(1)]) {
      await expect(work()).rejects.toMatchObject({
        code: 'ARRIVALS_NEWER',
        location: { file: arrivalsUri(place) },
        message: expect.stringMatching(/deploy that version again.*expected format version 2, found 3/),
      });
    }
    expect(readFileSync(arrivalsUri(place), 'utf8')).toBe(later);
    expect(remedyOf('ARRIVALS_NEWER')).toMatch(/remove nothing/);
  });
});

describe('a run that plans', () => {
  it('keeps what has landed since then, also when its call is repeated or a lost one comes late', async () => {
    await notice();
    await beginArrival(place, 1);
    await notice();
    await beginArrival(place, 1);
    expect(state()).toMatchObject({ round: 1, ...pending });
    await finish(1);
    await notice();
    await beginArrival(place, 2);
    expect(state(), 'the next round begins anew').toMatchObject({ round: 2, ...running });
  });

  it('goes on with a document of the first format, and writes the present one', async () => {
    const first = { formatVersion: 1, partition: place.partition, round: 3, waitSeconds: 1, ...pending };
    await notice();
    writeFileSync(arrivalsUri(place), JSON.stringify(first));
    await beginArrival(place, 3);
    expect(state()).toEqual({ ...first, formatVersion: 2, isBegun: true, isPending: false });
  });

  it('takes what has landed while it waited, so that no other run follows', async () => {
    await notice();
    await notice();
    await beginArrival(place, 1);
    expect(state()).toMatchObject({ round: 1, ...running });
    await finish(1);
    expect(rounds()).toEqual([1]);
  });

  it('of a round that is over takes nothing', async () => {
    await notice();
    end(1);
    await notice();
    await notice();
    await beginArrival(place, 1);
    expect(state()).toMatchObject({ round: 2, ...pending });
  });
});

describe('a run that ends', () => {
  it('leaves the partition idle, or starts the next one when something landed since it planned', async () => {
    await notice();
    await beginArrival(place, 1);
    await notice();
    await finish(1);
    expect(rounds()).toEqual([1, 2]);
    expect(state()).toMatchObject({ round: 2, ...running });
    await finish(2);
    expect(state()).toMatchObject({ round: 2, ...idle });
  });

  it('may end repeatedly: the next one is started once, and never ended by it', async () => {
    await notice();
    await notice();
    for (let i = 0; i < 3; i++) await finish(1);
    expect(rounds()).toEqual([1, 2]);
    expect(state()).toMatchObject({ round: 2, ...running });
    await finish(2);
    await finish(1);
    await finish(2);
    expect(state()).toMatchObject({ round: 2, ...idle });
    expect(rounds()).toEqual([1, 2]);
  });

  it.each(['before', 'after'] as const)(
    'and was killed %s the next start, starts it when repeated',
    async (when) => {
      await notice();
      await notice();
      death = when;
      await expect(finish(1)).rejects.toThrow('killed');
      expect(state()).toMatchObject({ round: 2, ...running });
      await finish(1);
      expect(rounds()).toEqual([1, 2]);
    },
  );

  it('of a document that was deleted ends nothing', async () => {
    await finish(4);
    expect(calls).toEqual([]);
    await notice();
    await finish(4);
    expect(state()).toMatchObject({ round: 1, ...running });
  });

  it('owes its successor even when names are taken by a document that was deleted', async () => {
    await notice();
    await finish(1);
    end(1);
    await notice();
    await finish(2);
    end(2);
    rmSync(arrivalsUri(place));
    writeFileSync(
      arrivalsUri(place),
      JSON.stringify({
        formatVersion: 1,
        partition: place.partition,
        round: 1,
        waitSeconds: 120,
        ...pending,
      }),
    );
    await finish(1);
    expect(rounds()).toEqual([1, 2, 3]);
    expect(state()).toMatchObject({ round: 3, ...running });
  });
});
