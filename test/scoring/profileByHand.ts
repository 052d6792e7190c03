import { type Feature, featureName } from '../../lib/features/contract.ts';
import type { FittedContract } from '../../lib/features/fitContract.ts';
import type { ProfileBins } from '../../lib/profile/addProfiles.ts';
import type { LabelProfile, PartProfile } from '../../lib/profile/partProfile.ts';
import { lowestScoreOf } from '../../lib/profile/scoreHistogram.ts';
import { valuesOfTable } from '../features/fittedVocabularies.ts';
import { referenceXxh64 } from '../features/referenceXxh64.ts';
import type { FunnelRow } from '../fixtures/tinyFunnel.ts';

// What a profile says, from the rows as they were written, value by value, and without any code that scores.

interface EncodedByHand {
  readonly values: number;
  readonly missing: number;
  readonly unseen: number;
  /** Local ids, from 1, or a number. */
  readonly known: readonly number[];
}

const KNOWN: EncodedByHand = { values: 1, missing: 0, unseen: 0, known: [] };
const MISSING: EncodedByHand = { ...KNOWN, missing: 1 };

/** One feature of one row. */
export function encodedByHand(fitted: FittedContract, name: string, row: FunnelRow): EncodedByHand {
  const { contract, vocabularies } = fitted;
  const feature = contract.features.find((each) => featureName(each) === name)!;
  const raw: unknown = row[feature.column as keyof FunnelRow];
  if (feature.kind === 'numeric' || feature.kind === 'bucketed') {
    return raw === null ? MISSING : { ...KNOWN, known: [numberOf(feature, Math.fround(raw as number))] };
  }
  const table = typeof feature.table === 'string' ? contract.tables[feature.table]! : feature.table;
  const idOf = (value: unknown): number | undefined => {
    if (value === null || table.missingValues.some((missing) => String(missing) === String(value))) {
      return undefined;
    }
    if (table.hash === undefined) return 1 + valuesOfTable(table, vocabularies)!.indexOf(String(value));
    const { buckets, seed } = table.hash;
    const hash = referenceXxh64(new TextEncoder().encode(String(value)), BigInt(seed));
    return 1 + Number(hash % BigInt(buckets));
  };
  if (feature.kind === 'categorical') {
    const id = idOf(raw);
    if (id === undefined) return MISSING;
    return id === 0 ? { ...KNOWN, unseen: 1 } : { ...KNOWN, known: [id] };
  }
  const present = ((raw ?? []) as unknown[]).map(idOf).filter((id) => id !== undefined);
  const { keep, maxLength } = feature;
  const kept = keep === 'first' ? present.slice(0, maxLength) : present.slice(-maxLength);
  return {
    values: kept.length,
    missing: kept.length === 0 ? 1 : 0,
    unseen: kept.filter((id) => id === 0).length,
    known: kept.filter((id) => id > 0),
  };
}

function numberOf(feature: Extract<Feature, { kind: 'numeric' | 'bucketed' }>, value: number): number {
  if (feature.kind === 'bucketed') {
    return 1 + feature.fitted!.boundaries.filter((boundary) => Math.fround(boundary) < value).length;
  }
  const clipped = Math.min(value, feature.clip?.max ?? Number.POSITIVE_INFINITY);
  const { mean, standardDeviation } = feature.fitted!;
  return Math.fround(((feature.log1p ? Math.log1p(clipped) : clipped) - mean) / standardDeviation);
}

/** The profile of rows whose scores are known. */
export function profileByHand(
  fitted: FittedContract,
  bins: ProfileBins,
  rows: readonly FunnelRow[],
  { pctr, pcvr }: { readonly pctr: Float32Array; readonly pcvr: Float32Array },
): PartProfile {
  const units = (score: number) => Math.round(score * 2 ** 24);
  const sum = (numbers: readonly number[]) => numbers.reduce((total, each) => total + each, 0);
  return {
    rows: rows.length,
    features: bins.features.map(({ name, bins: { ends } }) => {
      const encoded = rows.map((row) => encodedByHand(fitted, name, row));
      const known = encoded.flatMap((each) => each.known);
      return {
        name,
        values: sum(encoded.map(({ values }) => values)),
        missing: sum(encoded.map(({ missing }) => missing)),
        unseen: sum(encoded.map(({ unseen }) => unseen)),
        bins: [...ends, Number.POSITIVE_INFINITY].map(
          (end, bin) => known.filter((value) => value <= end && (bin === 0 || value > ends[bin - 1]!)).length,
        ),
      };
    }),
    slices: bins.slices.map(({ name, ids }) => {
      const sliceOf = rows.map((row) => {
        const at = ids.indexOf(encodedByHand(fitted, name, row).known[0] ?? 0);
        return at < 0 ? ids.length : at;
      });
      return {
        name,
        slices: [...ids, 0].map((_, slice) => {
          const own = sliceOf.flatMap((each, row) => (each === slice ? [row] : []));
          return {
            rows: own.length,
            pctr: sum(own.map((row) => units(pctr[row]!))),
            pcvr: sum(own.map((row) => units(pcvr[row]!))),
          };
        }),
      };
    }),
    labels: {
      click: labels(rows.map(({ click }, row) => ({ label: click, score: pctr[row]! }))),
      conversion: labels(
        rows.flatMap(({ click, conversion }, row) =>
          click === 1 && conversion !== null ? [{ label: conversion, score: pcvr[row]! }] : [],
        ),
      ),
    },
  };

  function labels(all: readonly { readonly label: number; readonly score: number }[]): LabelProfile {
    const counts = (some: typeof all) =>
      Array.from({ length: 65 }, (_, bin) => {
        const end = bin === 64 ? Number.POSITIVE_INFINITY : lowestScoreOf(bin + 1);
        return some.filter(({ score }) => score >= lowestScoreOf(bin) && score < end).length;
      });
    const positive = all.filter(({ label }) => label === 1);
    return {
      rows: all.length,
      positives: positive.length,
      score: sum(all.map(({ score }) => units(score))),
      rowCounts: counts(all),
      positiveCounts: counts(positive),
    };
  }
}
