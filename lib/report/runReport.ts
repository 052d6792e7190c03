import type { Prices } from '../estimate/readPrices.ts';
import { dataTable, folded } from '../page/dataTable.ts';
import { bytesText, countText, decimalText } from '../page/formatNumbers.ts';
import { type Html, html } from '../page/html.ts';
import { badge, factList, type PageSection, renderPage, type Tone } from '../page/renderPage.ts';
import { leftOutRows } from '../publish/deadLetters.ts';
import { judgedOf } from '../publish/judged.ts';
import { isShadowRoot } from '../publish/outputLayout.ts';
import type { RunRecord } from '../publish/runRecord.ts';
import { featureSection } from './featureSection.ts';
import { countVerdicts, gateSection } from './gateSection.ts';
import type { PartitionRecord } from './readPartition.ts';
import { failureTable, runSection, runTable, unitSection } from './runSection.ts';
import { scoreSection } from './scoreSection.ts';
import { unreadableNote } from './unreadableNote.ts';

/** One partition as its documents tell of it. */
export function partitionReport(record: PartitionRecord, prices: Prices): string {
  const { partition, root } = record;
  return renderPage({
    title: `report of ${partition}`,
    heading: partition,
    lead: html`<p>What was scored and published of this partition, from the documents below <code>${root}</code>.</p>`,
    sections: [
      { title: 'At a glance', body: glance(record) },
      { title: 'What ran when', body: whatRan(record, prices) },
      {
        title: 'Failures and retries',
        body: failureTable(record.runs, record.units, (each) => each === partition),
      },
      ...detailSections(record),
    ],
  });
}

/** A run of any number of partitions, right after it. */
export function runReport(run: RunRecord, records: readonly PartitionRecord[]): string {
  const [first] = records;
  const only = records.length === 1 ? first : undefined;
  const toneOf = (outcome: string): Tone =>
    outcome === 'published' || outcome === 'unchanged'
      ? 'good'
      : outcome === 'failed' || outcome === 'blocked'
        ? 'bad'
        : 'warn';
  return renderPage({
    title: only === undefined ? 'run report' : `run of ${only.partition}`,
    heading: only === undefined ? `A run of ${records.length} partitions` : `Run of ${only.partition}`,
    lead: html`<p>Model <code>${run.model.version}</code>${first && html`, published below <code>${first.root}</code>`}.</p>`,
    sections: [
      {
        title: 'Partitions',
        body: dataTable({
          caption: 'What became of every partition',
          columns: [
            ...[{ title: 'partition' }, { title: 'outcome' }, { title: 'gates' }],
            ...['rows visible', 'rows planned', 'read', 'parts', 'parts done before'].map((title) => ({
              title,
              kind: 'number' as const,
            })),
          ],
          rows: run.partitions.map((each) => {
            const record = records.find(({ partition }) => partition === each.partition);
            return [
              each.partition,
              badge(toneOf(each.outcome), each.outcome),
              record?.judged === undefined ? '—' : countVerdicts(record.judged.audit.verdicts),
              countText(record?.pointer?.current.rows),
              countText(each.rows),
              bytesText(each.sizeBytes),
              each.parts,
              each.partsDone,
            ];
          }),
        }),
      },
      { title: 'What ran when', body: runSection(run, run.partitions) },
      { title: 'Failures and retries', body: failureTable([run], [], () => true) },
      ...(only === undefined
        ? records.map((record) => ({
            title: record.partition,
            body: html`${glance(record)}${detailSections(record).map(({ title, body }) => folded(title, body))}`,
          }))
        : [{ title: 'At a glance', body: glance(only) }, ...detailSections(only)]),
    ],
  });
}

function whatRan({ partition, runs, units, unitsPlan }: PartitionRecord, prices: Prices): Html {
  const [last] = runs;
  if (last === undefined && units.length === 0) {
    return html`<p>No run of this partition is recorded here: records of runs expire.</p>`;
  }
  const ofPartition = last?.partitions.filter((each) => each.partition === partition) ?? [];
  return html`${last !== undefined && html`<h3>The last run on one machine</h3>${runSection(last, ofPartition)}`}
${units.length > 0 && html`<h3>The last run of the state machine</h3>${unitSection(units, unitsPlan, prices)}`}
${runs.length > 1 && runTable(partition, runs)}`;
}

/** What state a partition is in, and the numbers of it. */
function glance(record: PartitionRecord): Html {
  return html`${published(record)}${unreadableNote(record.unreadable)}`;
}

function published({ root, pointer, blocked, judged }: PartitionRecord): Html {
  if (judged === undefined)
    return html`<p>${badge('neutral', 'nothing published')} No run has published anything yet.</p>`;
  const { manifest, audit } = judged;
  const state =
    blocked !== undefined
      ? badge('bad', 'blocked by a gate')
      : pointer !== null && pointer.hold !== null
        ? badge('warn', 'held')
        : isShadowRoot(root)
          ? badge('neutral', 'in the shadow')
          : badge('good', 'published');
  const parts = manifest.parts;
  const shards = new Set(parts.flatMap(({ spans }) => spans.map(({ shard }) => shard)));
  const { override } = audit;
  return html`${factList([
    {
      name: 'state',
      value: state,
      detail: pointer === null ? 'never published' : `generation ${pointer.generation}`,
    },
    { name: 'model', value: manifest.model.version },
    { name: 'rows', value: countText(manifest.rows), detail: `in ${parts.length} parts` },
    {
      name: 'predictions',
      value: bytesText(parts.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)),
      detail: `of ${shards.size} shards`,
    },
    {
      name: 'rows left out',
      value: countText(manifest.deadLetteredRows),
      detail: `${manifest.broken.length} broken shards`,
    },
    { name: 'gates', value: countVerdicts(audit.verdicts) },
    { name: 'judged by', value: `ncs4cvr ${audit.codeVersion.slice(0, 24)}` },
  ])}
${blocked !== undefined && html`<p>What is reported here is what a gate has kept from readers: ${blocked.problems.join('; ')}</p>`}
${pointer?.hold != null && html`<p>Held by an operator: ${pointer.hold}</p>`}
${override !== null && html`<p>Released by ${override.by} at ${override.at}, against the gates: ${override.reason}</p>`}`;
}

function detailSections({ root, judged, reference, previous, history }: PartitionRecord): PageSection[] {
  if (judged === undefined) return [];
  const { manifest, audit, candidate } = judged;
  const before =
    previous === undefined ? [] : [{ name: previous.partition, scores: judgedOf(previous).scores }];
  return [
    { title: 'Gates', body: gateSection(audit.verdicts, history) },
    {
      title: 'Scores',
      body: scoreSection([{ name: manifest.partition, scores: candidate.scores }, ...before], reference),
    },
    { title: 'Features', body: featureSection(candidate.profile, reference) },
    { title: 'Rows left out', body: leftOut(root, manifest) },
    {
      title: 'Parts',
      body: dataTable({
        caption: 'Every part, in the order of the input',
        columns: [
          { title: 'part' },
          ...['rows', 'left out', 'size', 'spans', 'mean pctr', 'mean pcvr'].map((title) => ({
            title,
            kind: 'number' as const,
          })),
        ],
        rows: manifest.parts.map(({ partId, scoredRows, deadLetters, sizeBytes, spans, statistics }) => [
          partId.slice(0, 12),
          countText(scoredRows),
          countText(deadLetters?.rows ?? 0),
          bytesText(sizeBytes),
          spans.length,
          decimalText(statistics.pctr.mean, 5),
          decimalText(statistics.pcvr.mean, 5),
        ]),
      }),
    },
  ];
}

type Manifest = NonNullable<PartitionRecord['judged']>['manifest'];

/** Dead letters and broken shards: what the input holds and no reader sees. */
function leftOut(root: string, { parts, broken }: Manifest): Html {
  const { rows, files } = leftOutRows(parts);
  const examples = parts.flatMap(({ deadLetters }) => deadLetters?.examples ?? []);
  return html`<p>${rows === 0 ? 'Every row of the shards that could be read is scored.' : `${countText(rows)} rows of readable shards aren't scored. The files that name all of them, below ${root}: ${files.join(', ')}`}</p>
${
  examples.length > 0 &&
  dataTable({
    caption: 'Dead letters, the first of each part',
    columns: [
      { title: 'shard' },
      { title: 'row group', kind: 'number' },
      { title: 'row', kind: 'number' },
      { title: 'column' },
      { title: 'reason' },
    ],
    rows: examples.map(({ shard, rowGroup, row, column, reason }) => [shard, rowGroup, row, column, reason]),
  })
}
${
  broken.length > 0 &&
  dataTable({
    caption: 'Broken shards, of which no row is scored',
    columns: [
      { title: 'shard' },
      { title: 'rows', kind: 'number' },
      { title: 'code' },
      { title: 'why', kind: 'long' },
    ],
    rows: broken.map(({ shard, rows: of, code, message }) => [shard, countText(of), code, message]),
  })
}`;
}
