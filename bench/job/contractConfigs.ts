import { readFileSync } from 'node:fs';

/** Training configs as documents, of which the benchmark reads the features and the labels. */
export interface ConfigDocument {
  readonly contract: {
    readonly rowKeys: readonly string[];
    readonly tables?: Readonly<Record<string, TableDocument>>;
    readonly features: readonly FeatureDocument[];
  };
  readonly labels: { readonly click: string; readonly conversion: string };
  readonly [key: string]: unknown;
}

interface TableDocument {
  readonly type: 'int' | 'string';
  readonly hash?: { readonly buckets: number };
}

export interface FeatureDocument {
  readonly kind: 'categorical' | 'list' | 'numeric' | 'bucketed';
  readonly column: string;
  readonly table?: string | TableDocument;
  readonly maxLength?: number;
}

export type ContractName = 'kuairand' | 'wide';

/** @param project folder of the checkout */
export function configOf(name: ContractName, project: string): ConfigDocument {
  if (name === 'wide') return wideConfig();
  return JSON.parse(readFileSync(`${project}/examples/kuairand.json`, 'utf8')) as ConfigDocument;
}

/** Distinct values of the wide contract's categorical columns, one after the other and from the start again. */
export const WIDE_CARDINALITIES = [1_000_000, 500_000, 200_000, 50_000, 5_000, 500, 50, 20, 10, 5];
const WIDE_BUCKETS = 100_000;
const WIDE_LIST_LENGTH = 20;

/** 20 hashed categorical columns, half of them integers; 5 hashed lists; 20 numbers; the network of the paper. */
function wideConfig(): ConfigDocument {
  const hashed = (type: 'int' | 'string', buckets: number): TableDocument => ({ type, hash: { buckets } });
  const categorical = Array.from({ length: 20 }, (_, i): FeatureDocument => {
    const cardinality = WIDE_CARDINALITIES[i % WIDE_CARDINALITIES.length]!;
    const table = hashed(i < 10 ? 'int' : 'string', Math.min(WIDE_BUCKETS, 2 * cardinality + 1));
    return { kind: 'categorical', column: `c${i}`, table };
  });
  const lists = Array.from({ length: 5 }, (_, i) => ({
    kind: 'list' as const,
    column: `l${i}`,
    table: hashed(i < 3 ? 'int' : 'string', WIDE_BUCKETS),
    maxLength: WIDE_LIST_LENGTH,
    keep: 'first',
  }));
  const numeric = Array.from({ length: 20 }, (_, i) => ({
    kind: 'numeric' as const,
    column: `n${i}`,
    log1p: true,
  }));
  return {
    contract: {
      contractVersion: 1,
      rowKeys: ['request_id'],
      features: [...categorical, ...lists, ...numeric],
    },
    labels: { click: 'click', conversion: 'conversion' },
    split: {
      by: 'date',
      train: { from: '2024-01-01', to: '2024-01-01' },
      validation: { from: '2024-01-02', to: '2024-01-02' },
    },
    network: 'paper',
    training: { seed: 1, epochs: 1 },
  } as ConfigDocument;
}
