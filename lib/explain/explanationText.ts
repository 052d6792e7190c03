import { SCORE_NAMES } from '../base/tasks.ts';
import { formatFacts, formatTable } from '../base/textTable.ts';
import type { AblatedFeature } from './ablateFeatures.ts';
import type { DescribedInput, EncodedInput } from './describeInputs.ts';
import type { Explanation, RescoredRow, RowScores } from './explainRow.ts';

/** An explanation as text for a terminal. */
export function explanationText(explanation: Explanation): string {
  const { keys, matches, scores, publication, part, source } = explanation;
  const { partition, model, modelUri, manifest, isCurrent, generation, auditPath, audit } = publication;
  const facts = formatFacts({
    row: Object.entries(keys)
      .map(([name, value]) => `${name} = ${value ?? '(null)'}`)
      .join(', '),
    ...(matches > 1 ? { matches: `${matches} rows have the keys asked for; this is the first one` } : {}),
    scores: scoresText(scores),
    published: `${partition}, ${isCurrent ? 'visible now' : 'not visible any more'}, generation ${generation} of the pointer`,
    model: `${model.version}, sha256 ${model.sha256}`,
    bundle: modelUri,
    manifest,
    audit: `${auditPath}, by code ${audit.codeVersion}`,
    part: `${part.uri}, row ${part.row} of ${part.rows}, counted from 0`,
    ...('gone' in source ? { 'scored again': `not possible: ${source.gone}` } : sourceFacts(source)),
  });
  const tables =
    'gone' in source
      ? []
      : [inputTable(source.inputs), ...(source.why === undefined ? [] : [whyTable(source.why)])];
  return `${[facts, ...tables].join('\n\n')}\n`;
}

function sourceFacts({ shard, isSame, scores }: RescoredRow) {
  return {
    shard: `${shard.uri}, row group ${shard.rowGroup}, row ${shard.row} of it, version ${shard.version}`,
    'scored again': isSame ? 'the same bits' : `OTHER SCORES: ${scoresText(scores)}`,
  };
}

function scoresText(scores: RowScores): string {
  return SCORE_NAMES.map((name) => `${name} ${scores[name]}`).join(', ');
}

function inputTable(inputs: readonly DescribedInput[]): string {
  return formatTable([
    ['feature', 'kind', 'column', 'value', 'encoded', ''],
    ...inputs.map((input) => [
      input.feature,
      input.kind,
      input.column,
      input.isInShard ? (input.raw ?? '(null)') : '(no such column)',
      encodedText(input.encoded),
      remarkOn(input),
    ]),
  ]);
}

function encodedText(encoded: EncodedInput): string {
  switch (encoded.kind) {
    case 'id':
      return String(encoded.id);
    case 'ids':
      return `[${encoded.ids.join(', ')}]`;
    case 'number':
      return String(encoded.value);
  }
}

function remarkOn({ isMissing, unseen, kind }: DescribedInput): string {
  if (isMissing) return 'missing';
  if (unseen === 0) return '';
  return kind === 'list' ? `${unseen} unseen in training` : 'unseen in training';
}

const WHY_LIMITS = `Each feature alone at its missing value, the others as they are. Changes don't add up, and features that say the same
hide each other. A missing value means to the model what it meant in training: little, if none was missing there. This
tells what the model does with the row, not what makes people click.`;

function whyTable(why: readonly AblatedFeature[]): string {
  const signed = (value: number) => `${value < 0 ? '-' : '+'}${Math.abs(value).toFixed(6)}`;
  const table = formatTable(
    [
      ['if missing', 'pctr', 'change', 'pcvr', 'change'],
      ...why.map(({ feature, pctr, pcvr }) => [
        feature,
        ...[pctr, pcvr].flatMap(({ whenMissing, change }) => [whenMissing.toFixed(6), signed(change)]),
      ]),
    ],
    { leftColumns: 1 },
  );
  return `${table}\n${WHY_LIMITS}`;
}
