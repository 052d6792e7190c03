/*
 * In the package's scoring threads, in zod's place: modules that they need for something else describe documents too, and to build
 * sixty descriptions that nothing is checked by takes a fifth of a thread's start.
 */

const CHECKS: ReadonlySet<PropertyKey> = new Set(['parse', 'parseAsync', 'safeParse', 'safeParseAsync']);

function refuse(): never {
  throw new Error('a scoring thread checks no documents: its package has no zod');
}

/** Describes anything: whatever is called or asked of it is itself. */
export const z: object = new Proxy(() => z, {
  get: (_, key) => (CHECKS.has(key) ? refuse : z),
});
