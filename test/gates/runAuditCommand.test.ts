import { expect, it } from 'vitest';
import { runAuditCommand } from '../../lib/gates/runAuditCommand.ts';

const audited = { root: '/scores', partition: 'dt=2024-03-09', manifestUri: '/scores/manifests/m.json' };
const node = (script: string, timeoutSeconds = 30) =>
  runAuditCommand(
    { command: [process.execPath, '-e', script, '--'], action: 'block', timeoutSeconds },
    audited,
  );

it('an audit command that ends with 0 passes; it is told manifest, root and partition', async () => {
  const script = `
    const { NCS4CVR_MANIFEST: manifest, NCS4CVR_ROOT: root, NCS4CVR_PARTITION: partition } = process.env;
    const isTold = process.argv.slice(-2).join() === [manifest, root].join() && partition === 'dt=2024-03-09';
    console.log(manifest, root);
    process.exit(isTold && manifest === '/scores/manifests/m.json' && root === '/scores' ? 0 : 1);`;
  expect(await node(script)).toMatchObject({ gate: 'audit', verdict: 'pass', found: 0 });
});

it('one that ends otherwise, is killed, takes too long or is not there blocks, and says why', async () => {
  expect(await node("console.error('drifted'); process.exitCode = 7")).toMatchObject({
    verdict: 'block',
    found: 7,
    reason: 'exit code 7: drifted',
  });
  expect(await node("process.kill(process.pid, 'SIGTERM'); setTimeout(() => {}, 9e3)")).toMatchObject({
    verdict: 'block',
    reason: 'ended by SIGTERM',
  });
  expect(await node('setTimeout(() => {}, 60_000)', 0.5)).toMatchObject({
    verdict: 'block',
    reason: 'stopped after 0.5 s',
  });
  const nothing = { command: ['/no/such/program'], action: 'warn' as const, timeoutSeconds: 1 };
  expect(await runAuditCommand(nothing, audited)).toMatchObject({ verdict: 'warn', found: null });
});

it('neither a command that is not there nor one that has ended leaves a timer that keeps the process alive', async () => {
  const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
  const before = timers();
  const nothing = { command: ['/no/such/program'], action: 'block' as const, timeoutSeconds: 600 };
  expect(await runAuditCommand(nothing, audited)).toMatchObject({ verdict: 'block' });
  expect(timers()).toBeLessThanOrEqual(before);
  expect(await node('process.exit(0)', 600)).toMatchObject({ verdict: 'pass' });
  expect(timers()).toBeLessThanOrEqual(before);
});

it('what it prints is whole where a character comes in two pieces', async () => {
  const script = `
    process.stdout.write(Buffer.from([0x61, 0xc3]));
    setTimeout(() => process.stdout.write(Buffer.from([0xa4, 0x68])), 300);
    process.exitCode = 1;`;
  expect(await node(script)).toMatchObject({ reason: 'exit code 1: aäh' });
});
