// node rehearseScore.mjs FOLDER NODE: has the packaged score function score a small part on the given Node, so that the code which V8
// compiles for a cold start goes into the package: of a request, a model, a shard and a part. `npm run package` bundles and runs it.
import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { resolveModel } from '../../../lib/channels/resolveModel.ts';
import { parseJob } from '../../../lib/job/jobDocument.ts';
import { cutPartition } from '../../../lib/publish/cutPartition.ts';
import { partitionRuns, runSettingsOf } from '../../../lib/publish/partitionRun.ts';
import { type WorkUnit, workUnits } from '../../../lib/publish/workUnit.ts';
import { writeWhole } from '../../../lib/storage/openStorage.ts';
import { funnelRows, funnelShard } from '../../fixtures/tinyFunnel.ts';
import { trainTinyModel } from '../../fixtures/tinyModel.ts';
import { putFolder } from '../s3/putFolder.ts';
import { S3Double } from '../s3/s3Double.ts';
import { lambdaVariables } from './lambdaVariables.ts';

const ROWS = 2_000;
const TIMEOUT_MILLIS = 60_000;
const [packaged, node] = process.argv.slice(2) as [string, string];
const preloaded = fileURLToPath(new URL('../../scripts/rehearseFunction.cjs', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'ncs4cvr-rehearsal-'));
// Below the checkout, whose scripts are modules, it would not be what Lambda runs.
const taskRoot = join(folder, 'function');
const s3 = await S3Double.start(['rehearsal']);
try {
  cpSync(packaged, taskRoot, { recursive: true });
  const variables = { ...lambdaVariables({ name: 'score', taskRoot }), AWS_ENDPOINT_URL_S3: s3.endpoint };
  Object.assign(process.env, variables);
  const { bundleUri } = await trainTinyModel(folder);
  await putFolder(bundleUri, 's3://rehearsal/model');
  await writeWhole(
    's3://rehearsal/input/dt=2024-03-09/a.parquet',
    funnelShard(funnelRows('2024-03-09', ROWS), ROWS),
  );
  for (const flags of [[], ['--expose-gc']]) {
    // A part that is there would not be scored again.
    const UNITS = JSON.stringify(await unitsIn(`s3://rehearsal/scores${flags.join('')}`));
    const args = [...flags, '--require', preloaded, join(taskRoot, 'index.js')];
    await promisify(execFile)(node, args, { env: { ...variables, UNITS }, timeout: TIMEOUT_MILLIS });
  }
  for (const file of readdirSync(taskRoot).filter((name) => name.endsWith('.compiled'))) {
    cpSync(join(taskRoot, file), join(packaged, file));
  }
} finally {
  await s3.stop();
  rmSync(folder, { recursive: true });
}

async function unitsIn(scores: string): Promise<readonly WorkUnit[]> {
  const job = parseJob({ input: 'unused', scores, model: 's3://rehearsal/model', targetRows: ROWS });
  const settings = runSettingsOf(job, await resolveModel(job.model));
  const input = { partition: 'dt=2024-03-09', inputUri: 's3://rehearsal/input/dt=2024-03-09' };
  const [run] = await partitionRuns(settings, [input]);
  const { parts } = (await cutPartition(run!))!;
  return workUnits(run!, parts);
}
