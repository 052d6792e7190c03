import { rmSync } from 'node:fs';
import type { Arm, Round } from './benchArms.ts';
import type { ArmResult } from './benchCase.ts';
import { largestDifference } from './largestDifference.ts';

/**
 * Runs the arms of all cases once per round, one after the other. In the first round, which isn't measured and fills the disk's
 * cache, scores are proved equal.
 * @param cases the arms of each, the first of which is our command with the fewest workers
 * @returns the results in the same order
 * @throws Error for scores that differ too much
 */
export async function runRounds(
  cases: readonly (readonly Arm[])[],
  rounds: number,
  rowKey: string,
): Promise<ArmResult[][]> {
  const turns = cases.flatMap((arms) => arms.map((arm) => ({ arm, ours: arms[0]! })));
  const differences = new Map<Arm, number>();
  const measured = new Map(turns.map(({ arm }) => [arm, [] as Round[]]));
  // Twenty million rows' scores are half a gigabyte.
  const forget = ({ output }: Arm) => output !== undefined && rmSync(output, { recursive: true });
  for (const { arm, ours } of turns) {
    await arm.run();
    if (arm.tolerance !== undefined) differences.set(arm, differenceOf(arm, ours, rowKey));
    if (arm !== ours) forget(arm);
  }
  for (const [ours] of cases) forget(ours!);
  for (let round = 1; round <= rounds; round++) {
    // There and back, so that a machine that gets slower slows down all arms alike.
    for (const { arm } of round % 2 === 0 ? turns.toReversed() : turns) {
      measured.get(arm)!.push(await arm.run());
      forget(arm);
    }
  }
  return cases.map((arms) =>
    arms.map((arm): ArmResult => {
      const { name, threads } = arm;
      const difference = differences.get(arm);
      const result = { name, threads, rounds: measured.get(arm)! };
      return difference === undefined ? result : { ...result, largestDifference: difference };
    }),
  );
}

function differenceOf({ name, threads, output, tolerance }: Arm, ours: Arm, rowKey: string): number {
  const difference = largestDifference(ours.output!, output!, rowKey);
  if (difference <= tolerance!) return difference;
  throw new Error(`${name} with ${threads} threads: scores differ by up to ${difference}`);
}
