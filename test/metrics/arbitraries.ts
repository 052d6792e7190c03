import fc from 'fast-check';

/** float32 probabilities, many of them tied. */
export const probability = fc.oneof(
  fc.constantFrom(0, 0.25, 0.5, 1).map(Math.fround),
  fc.float({ min: 0, max: 1, noNaN: true }),
);
const hardLabel = fc.constantFrom(0, 1);
/** Multiples of 1/8: float32 holds them exactly and so do their sums. */
export const softLabel = fc.integer({ min: 0, max: 8 }).map((eighths) => eighths / 8);
export const user = fc.oneof(fc.integer({ min: 0, max: 4 }), fc.constantFrom('a', 'b', '1'));

export const rows = fc.array(fc.record({ score: probability, label: fc.oneof(hardLabel, softLabel), user }), {
  maxLength: 60,
});

/** Splits rows at sorted cut points into parts, some of them empty. */
export const splitRows = fc.tuple(rows, fc.array(fc.nat(60), { maxLength: 4 })).map(([all, cuts]) => {
  const bounds = [0, ...cuts.map((cut) => Math.min(cut, all.length)).sort((a, b) => a - b), all.length];
  return { all, parts: bounds.slice(1).map((end, i) => all.slice(bounds[i], end)) };
});
