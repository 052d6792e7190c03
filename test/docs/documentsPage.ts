import type { z } from 'zod';
import { bundleManifestSchema } from '../../lib/bundle/bundleManifest.ts';
import { channelSchema } from '../../lib/channels/channelDocument.ts';
import { pricesSchema } from '../../lib/estimate/readPrices.ts';
import { featureContractSchema } from '../../lib/features/contract.ts';
import { jobDocumentSchema } from '../../lib/job/jobDocument.ts';
import { ownModelConfigSchema } from '../../lib/ownModel/ownModelConfig.ts';
import { auditSchema } from '../../lib/publish/audit.ts';
import { manifestSchema } from '../../lib/publish/manifest.ts';
import { pointerSchema } from '../../lib/publish/pointer.ts';
import { runPlanSchema } from '../../lib/publish/runPlan.ts';
import { executionRecordSchema, runRecordSchema } from '../../lib/publish/runRecord.ts';
import { trainingConfigSchema } from '../../lib/recipe/trainingConfig.ts';
import { type DocumentKey, documentKeys, type Sections } from './documentKeys.ts';
import { KeyTypes, type SchemaSource } from './keyTypes.ts';

interface Section extends SchemaSource {
  readonly title: string;
  readonly schema: z.ZodType;
  readonly text: string;
  /** Does somebody write it by hand? Then every key has a default or is required. */
  readonly isWritten: boolean;
  readonly collapsed?: readonly string[];
}

const SECTIONS: readonly Section[] = [
  {
    title: 'Job document',
    file: 'lib/job/jobDocument.ts',
    name: 'jobDocumentSchema',
    schema: jobDocumentSchema,
    isWritten: true,
    text: '`plan --job`, and the variable `JOB` of the functions ([operations](../operations.md#the-job-document)). What each gate measures: [gates](../gates.md).',
  },
  {
    title: 'Training config',
    file: 'lib/recipe/trainingConfig.ts',
    name: 'trainingConfigSchema',
    schema: trainingConfigSchema,
    isWritten: true,
    text: 'What `train` and `compare` read ([training](../training.md#the-config)).',
  },
  {
    title: 'Feature contract',
    file: 'lib/features/contract.ts',
    name: 'featureContractSchema',
    schema: featureContractSchema,
    isWritten: true,
    collapsed: ['features[].table'],
    text: 'The key `contract` of a training config, and, fitted, of `bundle.json` ([features](../features.md)).',
  },
  {
    title: 'Config of an own model',
    file: 'lib/ownModel/ownModelConfig.ts',
    name: 'ownModelConfigSchema',
    schema: ownModelConfigSchema,
    isWritten: true,
    text: '`bundle --config` ([models of your own](../own-model.md)).',
  },
  {
    title: 'Prices',
    file: 'lib/estimate/readPrices.ts',
    name: 'pricesSchema',
    schema: pricesSchema,
    isWritten: true,
    text: '`plan --prices` and `tune --prices` ([costs](../costs.md#prices)).',
  },
  {
    title: 'bundle.json',
    file: 'lib/bundle/bundleManifest.ts',
    name: 'bundleManifestSchema',
    schema: bundleManifestSchema,
    isWritten: false,
    text: 'The manifest of a bundle, which `train`, `export` and `bundle` write.',
  },
  {
    title: 'Channel',
    file: 'lib/channels/channelDocument.ts',
    name: 'channelSchema',
    schema: channelSchema,
    isWritten: false,
    text: '`channels/NAME.json` below a models root, which `promote` writes.',
  },
  {
    title: 'Pointer',
    file: 'lib/publish/pointer.ts',
    name: 'pointerSchema',
    schema: pointerSchema,
    isWritten: false,
    text: '`pointers/PARTITION.json` below a scores root: what is visible ([publish protocol](../publish-protocol.md)).',
  },
  {
    title: 'Manifest',
    file: 'lib/publish/manifest.ts',
    name: 'manifestSchema',
    schema: manifestSchema,
    isWritten: false,
    collapsed: ['parts[].statistics', 'parts[].profile', 'parts[].worstSpans', 'parts[].keys'],
    text: '`manifests/PARTITION/SHA256.json`, which a pointer names: the files of a publication.',
  },
  {
    title: 'Audit document',
    file: 'lib/publish/audit.ts',
    name: 'auditSchema',
    schema: auditSchema,
    isWritten: false,
    collapsed: ['earlier'],
    text: '`audits/PARTITION/SHA256.json`: why a manifest was published or blocked (`resolve --json`).',
  },
  {
    title: 'Plan',
    file: 'lib/publish/runPlan.ts',
    name: 'runPlanSchema',
    schema: runPlanSchema,
    isWritten: false,
    collapsed: ['gates', 'partitions[].earlier'],
    text: 'What `plan --output` writes and `run --plan` carries out.',
  },
  {
    title: 'Run record',
    file: 'lib/publish/runRecord.ts',
    name: 'runRecordSchema',
    schema: runRecordSchema,
    isWritten: false,
    text: '`run-records/TIME-ID.json` below a scores root: when a run did what ([reports](../reports.md)).',
  },
  {
    title: 'Record of an execution',
    file: 'lib/publish/runRecord.ts',
    name: 'executionRecordSchema',
    schema: executionRecordSchema,
    isWritten: false,
    text: '`run-records/TIME-ID-execution.json`: how a run by the state machine ended (`status --job`).',
  },
];

/** Keys of documents that people write, by section; each has to have a meaning. */
export interface DocumentsPage {
  readonly page: string;
  readonly withoutMeaning: readonly string[];
}

/** docs/reference/documents.md, and what its schemas leave unsaid. */
export function documentsPage(): DocumentsPage {
  const keyTypes = new KeyTypes(SECTIONS);
  const links: Sections = new Map(
    SECTIONS.map(({ schema, title }) => [schema, `[${title.toLowerCase()}](#${anchorOf(title)})`]),
  );
  const withoutMeaning: string[] = [];
  const sections = SECTIONS.map(({ title, name, schema, text, isWritten, collapsed = [] }) => {
    const keys = documentKeys(schema, keyTypes.document(name), keyTypes, links, collapsed);
    for (const { key, meaning } of keys)
      if (isWritten && meaning === '') withoutMeaning.push(`${title}: ${key}`);
    const head = isWritten
      ? ['| key | type | default | meaning |', '|---|---|---|---|']
      : ['| key | type | meaning |', '|---|---|---|'];
    return [`## ${title}`, '', text, '', ...head, ...keys.map((key) => keyLine(key, isWritten))].join('\n');
  });
  const page = [
    '# Documents, key by key',
    '',
    '<!-- Written by `npm run docs:reference` from the schemas and the comments beside their keys. -->',
    '',
    'Unknown keys are errors in all of them, and every problem is reported at once. `[]` stands for each element of a list,',
    '`NAME` for a key of your choice; *of* says which kind of object has the key.',
    '',
    sections.join('\n\n'),
    '',
  ].join('\n');
  return { page, withoutMeaning };
}

function anchorOf(title: string): string {
  return title
    .toLowerCase()
    .replace(/[^a-z0-9 -]/g, '')
    .replaceAll(' ', '-');
}

function keyLine(
  { key, of, type, isRequired, default: value, meaning }: DocumentKey,
  isWritten: boolean,
): string {
  const name = of.length === 0 ? `\`${key}\`` : `\`${key}\` of ${of.map((each) => `\`${each}\``).join(', ')}`;
  const absent = isRequired || value !== undefined ? '' : ', or absent';
  const cells = isWritten
    ? [name, type, isRequired ? 'required' : value === undefined ? '' : `\`${value}\``, meaning]
    : [name, `${type}${absent}`, meaning];
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}
