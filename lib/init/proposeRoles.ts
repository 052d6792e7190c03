import { type ColumnSample, isIds, plainName } from './columnSample.ts';
import { findKeys, type KeyRoles } from './findKeys.ts';
import { findLabel } from './findLabel.ts';
import type { LabelRole } from './namedLabel.ts';
import type { ShardSample } from './sampleShards.ts';

/** Columns that the user has named, which are never guessed. */
export interface GivenRoles {
  readonly click?: string | undefined;
  readonly conversion?: string | undefined;
  readonly keys?: readonly string[] | undefined;
}

/** What no feature may be: the labels, and the columns that name a row. */
export interface ColumnRoles extends KeyRoles {
  readonly click: LabelRole;
  readonly conversion: LabelRole;
  readonly user: ColumnSample | undefined;
}

const USER_NAME =
  /^(hashed_?|anon(ymous)?_?)?(user|member|customer|guest|viewer|visitor|account|uid|device(?=_?(id|hash|key|uuid)))(_?(id|hash|key|uuid))?$/i;

/**
 * Takes what was named and guesses the rest by names and values.
 * @throws Ncs4cvrError INIT_NO_LABEL, INIT_NO_KEY, INIT_NO_COLUMN: each says which option names it
 */
export function proposeRoles({ columns, input }: ShardSample, given: GivenRoles): ColumnRoles {
  const click = findLabel(columns, given.click, 'click', input);
  const conversion = findLabel(columns, given.conversion, 'conversion', input);
  const user = columns.find(
    (column) => USER_NAME.test(plainName(column)) && (isIds(column) || column.kind === 'string'),
  );
  return {
    click,
    conversion,
    user,
    ...findKeys(columns, given.keys, [click.column, conversion.column], input),
  };
}
