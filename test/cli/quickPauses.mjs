// Loaded into a command before its own code (`node --import`): its pauses between two looks at something pass at once.
import { syncBuiltinESMExports } from 'node:module';
import timers from 'node:timers/promises';

const LONGEST_MILLIS = 20;
const { setTimeout: sleep } = timers;
timers.setTimeout = (millis, ...rest) => sleep(Math.min(millis, LONGEST_MILLIS), ...rest);
syncBuiltinESMExports();
