import { setImmediate } from 'node:timers/promises';
import { beforeEach } from 'vitest';

// Tests that only compute follow each other without a pause, in which this process doesn't read what the one that runs it answers:
// after a minute of that, vitest fails the run (`Timeout calling "onTaskUpdate"`), though every test has passed.
beforeEach(() => setImmediate());
