import { expect } from 'vitest';
import { ProblemsError } from '../../lib/base/errors.ts';
import { parseContract } from '../../lib/features/contract.ts';

/** The smallest document that is a contract. */
export const minimal = {
  contractVersion: 1,
  rowKeys: ['id'],
  features: [{ kind: 'numeric', column: 'price' }],
};

/** What is wrong with a document; nothing where it is a contract. */
export function problemsOf(document: unknown): readonly string[] {
  try {
    parseContract(document, 'my.json');
  } catch (error) {
    expect(error).toBeInstanceOf(ProblemsError);
    expect((error as ProblemsError).code).toBe('CONTRACT_INVALID');
    expect((error as ProblemsError).message).toContain('my.json is invalid');
    return (error as ProblemsError).problems;
  }
  return [];
}

/** A contract of this feature alone. */
export function withFeature(feature: object, tables: object = {}): object {
  return { ...minimal, tables, features: [feature] };
}
