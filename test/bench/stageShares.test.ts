import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { stageShares } from '../../bench/job/stageShares.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';

it('the shares of stages add up to 1: a frame has the stage of its place or its caller, idle time none', () => {
  const folder = temporaryFolder();
  const frame = (id: number, functionName: string, url: string, ...children: number[]) => {
    return { id, callFrame: { functionName, url }, children };
  };
  const nodes = [
    frame(1, '(root)', '', 2, 5, 6),
    frame(2, 'decodePages', 'file:///dist/lib/parquet/decodePages.js', 3, 4),
    // Of Buffer: objects have one too.
    frame(3, 'toString', 'node:buffer'),
    frame(4, '(garbage collector)', ''),
    frame(5, '(idle)', ''),
    frame(6, 'encode', 'file:///dist/lib/features/featureEncoder.js'),
  ];
  const profile = { nodes, samples: [2, 3, 4, 5, 6], timeDeltas: [1, 2, 1, 50, 4] };
  writeFileSync(join(folder, 'thread.cpuprofile'), JSON.stringify(profile));
  const { decode, encode, 'collect garbage': garbage, ...others } = stageShares(folder);
  expect([decode, encode, garbage]).toEqual([3 / 8, 4 / 8, 1 / 8]);
  expect(Object.values(others).every((share) => share === 0)).toBe(true);
});
