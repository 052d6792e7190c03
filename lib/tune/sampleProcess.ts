import { serialiseError } from '../base/workerThread.ts';
import { loadBundle } from '../bundle/loadBundle.ts';
import { predictionMetadata } from '../scoring/predictionMetadata.ts';
import { scoreSpans } from '../scoring/scoreSpans.ts';
import { scoringPool } from '../scoring/workerPool.ts';
import { storageFor } from '../storage/openStorage.ts';
import type { SampleAnswer, SampleOrder, SampleUse } from './measureSample.ts';

// Entry point of a process that scores a sample once and says what that took: memory is the process's, and a thread's start counts.
process.once('message', async (order: SampleOrder) => {
  let answer: SampleAnswer;
  try {
    answer = { kind: 'scored', use: await scoreSample(order) };
  } catch (error) {
    answer = { kind: 'failed', error: serialiseError(error) };
  }
  process.send?.(answer);
});

async function scoreSample({ modelUri, spans, workers, outputUri }: SampleOrder): Promise<SampleUse> {
  const bundle = await loadBundle(storageFor(modelUri), modelUri);
  // Since the process's start.
  const loadSeconds = performance.now() / 1000;
  const pool = scoringPool(bundle, workers);
  const { rowCount } = await scoreSpans(spans, outputUri, bundle, pool, {
    metadata: ({ shard, range }) => predictionMetadata(bundle, shard, range),
  });
  const scoreSeconds = performance.now() / 1000 - loadSeconds;
  await pool.close();
  const { user, system } = process.cpuUsage();
  return {
    rows: rowCount,
    loadSeconds,
    scoreSeconds,
    cpuSeconds: (user + system) / 1e6,
    peakBytes: process.resourceUsage().maxRSS * 1024,
  };
}
