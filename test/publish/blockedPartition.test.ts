import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { DEFAULT_GATES } from '../../lib/job/gateSettings.ts';
import { readAudit } from '../../lib/publish/audit.ts';
import { blockedNow } from '../../lib/publish/blockedPartition.ts';
import { readPointer } from '../../lib/publish/pointer.ts';
import type { PublishOutcome } from '../../lib/publish/publishPartition.ts';
import { releasePartition } from '../../lib/publish/releasePartition.ts';
import { rollBack } from '../../lib/publish/rollBack.ts';
import { joinUri } from '../../lib/storage/uri.ts';
import { funnelRows } from '../fixtures/tinyFunnel.ts';
import { filesBelow } from '../scoring/filesBelow.ts';
import {
  LIMIT,
  partitionOf,
  publishDay,
  publishToday,
  put,
  ROWS,
  TODAY,
  today,
  YESTERDAY,
} from './gatedDays.ts';

const word = (reason: string, by = 'ada') => ({ reason, by, at: '2024-03-09T08:00:00.000Z' });

const TOMORROW = new Date(Date.parse(TODAY) + 86_400_000).toISOString().slice(0, 10);

describe('a partition that is blocked', () => {
  const spoilt = () => today.map((row) => ({ ...row, age: null }));

  it(
    'ends the same way again, with the same documents, and its audit document holds every verdict',
    async () => {
      const { place, outcome } = await publishToday(spoilt());
      const before = filesBelow(place.root);
      expect(await publishDay(place, TODAY)).toEqual(outcome);
      expect(filesBelow(place.root)).toEqual(before);
      const blocked = await blockedNow(place.root, partitionOf(TODAY), 0);
      const audit = await readAudit(place.root, blocked!.publication.audit);
      expect(audit).toMatchObject({
        override: null,
        earlier: { previous: { partition: partitionOf(YESTERDAY) } },
      });
      expect(audit.verdicts).toEqual('verdicts' in outcome ? outcome.verdicts : []);
    },
    LIMIT,
  );

  it(
    'keeps its former state, and takes the next input that passes',
    async () => {
      const { place } = await publishToday(today);
      await put(place, TODAY, 'a.parquet', spoilt());
      expect((await publishDay(place, TODAY)).kind).toBe('refused');
      expect((await readPointer(place.root, partitionOf(TODAY))).pointer?.generation).toBe(1);
      expect(await blockedNow(place.root, partitionOf(TODAY), 1)).toBeDefined();
      await put(place, TODAY, 'a.parquet', today);
      expect((await publishDay(place, TODAY)).kind).toMatch(/^(published|unchanged)$/);
      const { pointer } = await readPointer(place.root, partitionOf(TODAY));
      expect(await blockedNow(place.root, partitionOf(TODAY), pointer!.generation)).toBeUndefined();
    },
    LIMIT,
  );

  it(
    'is written down by the next attempt where one was killed before its note',
    async () => {
      const { place, outcome } = await publishToday(spoilt());
      rmSync(join(place.root, 'blocked'), { recursive: true });
      await expect(releasePartition(place.root, partitionOf(TODAY), word('fine'))).rejects.toMatchObject({
        code: 'PUBLISH_NOT_BLOCKED',
      });
      expect(await publishDay(place, TODAY)).toEqual(outcome);
      expect(await blockedNow(place.root, partitionOf(TODAY), 0)).toBeDefined();
    },
    LIMIT,
  );

  it(
    'is released exactly as it was, though its input has gone, with the reason on record, once',
    async () => {
      const { place, outcome } = await publishToday(spoilt());
      rmSync(joinUri(place.inputUri, partitionOf(TODAY)), { recursive: true });
      const first = await releasePartition(place.root, partitionOf(TODAY), word('age is gone for good'));
      expect(first).toMatchObject({ hasFlipped: true, pointer: { generation: 1, hold: null } });
      const { blocked } = outcome as Extract<PublishOutcome, { kind: 'refused' }>;
      expect(first.pointer.current.sha256).toBe(blocked!.publication.sha256);
      expect(await readAudit(place.root, first.pointer.current.audit)).toMatchObject({
        override: { reason: 'age is gone for good', by: 'ada', at: '2024-03-09T08:00:00.000Z' },
      });
      const files = filesBelow(place.root);
      for (const again of [word('age is gone for good', 'grace'), word('once more')]) {
        expect(await releasePartition(place.root, partitionOf(TODAY), again)).toEqual({
          pointer: first.pointer,
          hasFlipped: false,
        });
      }
      expect(filesBelow(place.root)).toEqual(files);
    },
    LIMIT,
  );

  it(
    'stays as it was released when its run is repeated',
    async () => {
      const { place } = await publishToday(spoilt());
      await releasePartition(place.root, partitionOf(TODAY), word('known'));
      expect(await publishDay(place, TODAY)).toMatchObject({ kind: 'unchanged', pointer: { generation: 1 } });
    },
    LIMIT,
  );

  it(
    'is known as released also after it was held and published again as it is',
    async () => {
      const { place } = await publishToday(spoilt());
      const { pointer } = await releasePartition(place.root, partitionOf(TODAY), word('known'));
      await rollBack(place.root, partitionOf(TODAY), 'wait', pointer.current.sha256);
      expect(await publishDay(place, TODAY, DEFAULT_GATES, false, true)).toMatchObject({
        kind: 'published',
        pointer: { generation: 3, hold: null, current: { isReleased: true } },
      });
    },
    LIMIT,
  );

  it(
    'is no yardstick once it was released: a repaired input, and the next clean night, pass',
    async () => {
      const { place } = await publishToday(spoilt());
      const { pointer } = await releasePartition(place.root, partitionOf(TODAY), word('known'));
      expect(pointer.current).toMatchObject({ isReleased: true });
      for (const [day, rows] of [
        [TOMORROW, funnelRows(TOMORROW, ROWS)],
        [TODAY, today],
      ] as const) {
        await put(place, day, 'a.parquet', rows);
        const outcome = await publishDay(place, day);
        const verdicts = 'verdicts' in outcome ? outcome.verdicts : [];
        const compared = verdicts.filter(({ against }) => against === partitionOf(TODAY));
        expect(compared.filter(({ gate }) => gate !== 'repeatedContent')).toEqual([]);
        expect(outcome).toMatchObject({ kind: 'published' });
      }
      const { pointer: repaired } = await readPointer(place.root, partitionOf(TODAY));
      expect(repaired!.current.isReleased).toBeUndefined();
    },
    LIMIT,
  );

  it(
    'and released though it is a copy of the day before keeps nothing from that day, whose rows were there first',
    async () => {
      const { place } = await publishToday(today);
      await put(place, TOMORROW, 'a.parquet', today);
      expect((await publishDay(place, TOMORROW)).kind).toBe('refused');
      await releasePartition(place.root, partitionOf(TOMORROW), word('known'));
      await put(place, TODAY, 'late.parquet', funnelRows('2024-04-01', 10));
      const outcome = await publishDay(place, TODAY);
      expect(outcome).toMatchObject({ kind: 'published' });
      const verdicts = 'verdicts' in outcome ? outcome.verdicts : [];
      const told = verdicts.filter(({ against }) => against === partitionOf(TOMORROW));
      expect(told.filter(({ verdict }) => verdict === 'warn')).toMatchObject([
        { gate: 'repeatedContent', subject: 'keys', found: today.length },
      ]);
      // The copy itself is no better for being shown.
      await put(place, TOMORROW, 'late.parquet', funnelRows('2024-04-02', 10));
      expect((await publishDay(place, TOMORROW)).kind).toBe('refused');
    },
    LIMIT,
  );

  it(
    'is not released after anything else has become visible, or without its parts',
    async () => {
      const { place } = await publishToday(today);
      await put(place, TODAY, 'b.parquet', funnelRows('2024-04-01', 10));
      expect((await publishDay(place, TODAY)).kind).toBe('published');
      await put(place, TODAY, 'a.parquet', spoilt());
      expect((await publishDay(place, TODAY)).kind).toBe('refused');
      const parts = filesBelow(join(place.root, 'parts', partitionOf(TODAY)));
      await rollBack(place.root, partitionOf(TODAY), 'look first');
      const release = () => releasePartition(place.root, partitionOf(TODAY), word('known'));
      await expect(release()).rejects.toMatchObject({ code: 'PUBLISH_BLOCK_OUTDATED' });

      const other = (await publishToday(spoilt())).place;
      expect(parts.length).toBeGreaterThan(0);
      rmSync(join(other.root, 'parts', partitionOf(TODAY)), { recursive: true });
      await expect(releasePartition(other.root, partitionOf(TODAY), word('known'))).rejects.toMatchObject({
        code: 'PUBLISH_PART_COLLECTED',
      });
    },
    LIMIT,
  );
});
