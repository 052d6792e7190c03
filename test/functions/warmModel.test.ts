import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { warmModel } from '../../functions/warmModel.ts';
import { modelIdentity } from '../../lib/publish/modelIdentity.ts';
import { trainTinyModel } from '../fixtures/tinyModel.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { putFolder } from '../support/s3/putFolder.ts';
import { testEndpoint } from '../support/s3/testEndpoint.ts';

const s3 = testEndpoint();
const folder = temporaryFolder();

it.skipIf(process.env.NCS4CVR_TEST_S3_ENDPOINT !== undefined)(
  'reads nothing of another model before the threads of the former one are gone: there is memory for one',
  async () => {
    const [one, two] = await Promise.all(
      ['one', 'two'].map(async (modelVersion, seed) => {
        const { bundle, bundleUri } = await trainTinyModel(join(folder, modelVersion), {
          config: { modelVersion, training: { seed } },
        });
        const uri = `s3://${s3.bucket}/${modelVersion}`;
        await putFolder(bundleUri, uri);
        return { uri, model: modelIdentity(bundle) };
      }),
    );
    const { pool } = await warmModel(one!.uri, one!.model);
    let isGone = false;
    const close = pool.close.bind(pool);
    pool.close = async () => {
      await close();
      // As long as threads that are still at work take.
      await sleep(300);
      isGone = true;
    };
    const wasGone = new Set<boolean>();
    s3.double!.options = {
      fault: ({ key }) => {
        if (key.startsWith('two/')) wasGone.add(isGone);
        return undefined;
      },
    };
    const second = await warmModel(two!.uri, two!.model);
    expect(wasGone).toEqual(new Set([true]));
    await second.pool.close();
  },
  60_000,
);
