import { featureName } from '../features/contract.ts';
import { MODEL_FILE } from '../model/bundleManifest.ts';
import { loadBundle } from '../model/loadBundle.ts';
import { storageFor } from '../storage/openStorage.ts';
import { formatFacts, formatTable } from './formatTable.ts';

/** Loads and verifies the bundle as scoring does, then tells what it holds. */
export async function describeBundle(uri: string): Promise<string> {
  const { manifest, contract, layout } = await loadBundle(storageFor(uri), uri);
  const { network, training, labels } = manifest;
  const rowsOf = new Map(layout.tables.map((table) => [table.name, table.rowCount]));
  const facts = formatFacts({
    'model bundle': uri,
    'model version': manifest.modelVersion,
    network: network.kind === 'ncs' ? `ncs, ${network.hidden.join('-')}` : network.kind,
    'embedding rows': layout.embeddingRowCount,
    'model size': `${manifest.files[MODEL_FILE].sizeBytes} bytes`,
    'model sha256': manifest.files[MODEL_FILE].sha256,
    contract: manifest.contractFingerprint,
    'row keys': contract.rowKeys.join(', '),
    labels: `click = ${labels.click}, conversion = ${labels.conversion}`,
    'trained on': `${training.data}, ${training.trainSplit} (${training.trainRows} rows)`,
    'chosen on': `${training.validationSplit} (${training.validationRows} rows)`,
    finished: `${training.finishedAt}, seed ${training.seed}, code ${training.codeVersion}`,
    verified: 'sizes, checksums, interface and golden rows',
  });
  const features = formatTable([
    ['feature', 'kind', 'column', 'table', 'rows'],
    ...contract.features.map((feature) => {
      const name = featureName(feature);
      const table =
        feature.kind === 'numeric'
          ? '-'
          : feature.kind === 'bucketed' || typeof feature.table !== 'string'
            ? name
            : feature.table;
      return [name, feature.kind, feature.column, table, String(rowsOf.get(table) ?? '-')];
    }),
  ]);
  return `${facts}\n\n${features}`;
}
