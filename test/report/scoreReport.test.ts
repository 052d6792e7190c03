import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { ModelBundle } from '../../lib/bundle/loadBundle.ts';
import { scoreReport } from '../../lib/report/scoreReport.ts';
import { type ScoringReport, scoreInput } from '../../lib/scoring/scoreInput.ts';
import { writeWhole } from '../../lib/storage/openStorage.ts';
import { joinUri } from '../../lib/storage/uri.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { sectionOf, tableOf } from './readPage.ts';
import { trainReportedModel } from './reportScene.ts';

const folder = temporaryFolder();

const WATERFALL = 'What ran when; shards that were scored at the same time stand below each other.';
let bundle: ModelBundle;
let data: string;

beforeAll(async () => {
  const trained = await trainReportedModel();
  bundle = trained.bundle;
  data = trained.dataUri;
  await writeWhole(
    joinUri(data, 'dt=2024-03-04', 'part-0.parquet'),
    new TextEncoder().encode('PAR1 no more'),
  );
}, 120_000);

async function score(input: string, name: string): Promise<ScoringReport> {
  return scoreInput(input, join(folder, name), bundle, { workers: 1 });
}

function pageOf(report: ScoringReport): string {
  return scoreReport({ report, bundle, workers: 1, startMillis: 0, progress: [] });
}

describe('the page of files that were scored', () => {
  it('has when each shard was scored, one after the other where there is one thread, and which one has failed', async () => {
    const report = await score(data, 'all-scores');
    const bars = tableOf(sectionOf(pageOf(report), 'What ran when'), WATERFALL);
    expect(bars.map(([name, state, rows]) => [name!.slice(data.length + 1), state, rows])).toEqual([
      ['dt=2024-03-01/part-0.parquet', 'scored', '1,500'],
      ['dt=2024-03-02/part-0.parquet', 'scored', '1,500'],
      ['dt=2024-03-03/part-0.parquet', 'scored', '1,500'],
      ['dt=2024-03-04/part-0.parquet', 'failed', '—'],
    ]);
    let before = 0;
    for (const { startSeconds, seconds } of report.times) {
      expect(startSeconds).toBeGreaterThanOrEqual(before);
      before = startSeconds + seconds;
    }
    expect(before).toBeLessThanOrEqual(report.seconds);
    const [first, second] = report.times;
    expect(first!.seconds).toBeGreaterThan(0);
    expect(second!.startSeconds).toBeGreaterThanOrEqual(first!.seconds);
  });

  it('counts in the rows by time only those of shards that were scored whole, as its heading does', async () => {
    const report = await score(data, 'rows-scores');
    // As it is when a shard breaks in its last row group.
    const progress = [[report.seconds / 2, 9_999]] as const;
    const page = scoreReport({ report, bundle, workers: 1, startMillis: 0, progress });
    const rows = tableOf(sectionOf(page, 'What ran when'), 'Rows scored by the time since the call began');
    expect(rows.map((cells) => cells.at(-1))).toEqual(['0', '1,500', '3,000', '4,500', '4,500']);
    const whole = { ...report, failures: [] };
    expect(scoreReport({ report: whole, bundle, workers: 1, startMillis: 0, progress })).toContain('9,999');
  });

  it('has no such chart of a single shard, whose time is that of the call', async () => {
    const section = sectionOf(pageOf(await score(join(data, 'dt=2024-03-01'), 'one-score')), 'What ran when');
    expect(section).not.toContain(WATERFALL);
  });
});
