import { describe, expect, it } from 'vitest';
import { mayPass } from '../../lib/base/retry.ts';
import type { PublishedEvent } from '../../lib/publish/announce.ts';
import { eventBridgeAnnouncer } from '../../lib/publish/eventBridgeAnnouncer.ts';
import { testEventBus } from '../support/eventBridge/eventBridgeDouble.ts';

const bus = testEventBus();
const event: PublishedEvent = {
  eventVersion: 1,
  deduplicationId: 'a'.repeat(64),
  scores: 's3://scores',
  partition: 'dt=2024-03-09',
  generation: 7,
  manifest: 'manifests/dt=2024-03-09/b.json',
  manifestUri: 's3://scores/manifests/dt=2024-03-09/b.json',
  model: { version: 'v', sha256: 'c', contractFingerprint: 'd' },
  rows: 5,
  hold: null,
};
const send = () => eventBridgeAnnouncer('scores').send({ type: 'Scores Published', detail: event });

describe('an announcer on EventBridge', () => {
  it('puts the event on its bus, under the source and type that rules match on', async () => {
    await send();
    expect(bus.double.entries).toEqual([
      {
        EventBusName: 'scores',
        Source: 'ncs4cvr',
        DetailType: 'Scores Published',
        Detail: JSON.stringify(event),
      },
    ]);
  });

  it('tries again when the bus takes the request and not its event', async () => {
    bus.double.refusals.push({ kind: 'entry', ErrorCode: 'ThrottlingException' });
    bus.double.refusals.push({ kind: 'entry', ErrorCode: 'InternalFailure' });
    await send();
    expect(bus.double.requestCount).toBe(3);
    expect(bus.double.events).toEqual([event]);
  });

  it('leaves a request that fails for now to the attempts of the SDK', async () => {
    bus.double.refusals.push({ kind: 'request', status: 500, type: 'InternalException' });
    await send();
    expect(bus.double.requestCount).toBe(2);
  });

  it.each([
    ['an entry', { kind: 'entry', ErrorCode: 'NotAuthorizedForSourceException' }, /NotAuthorizedForSource/],
    ['a request', { kind: 'request', status: 400, type: 'AccessDeniedException' }, /refused/],
  ] as const)('says what was not announced, once, when %s is refused for good', async (_, refusal, found) => {
    bus.double.refusals.push(refusal);
    const error = await send().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: 'PUBLISH_NOT_ANNOUNCED',
      message: expect.stringContaining('generation 7 of dt=2024-03-09 is published'),
      location: { file: 'scores' },
      found: expect.stringMatching(found),
    });
    expect(mayPass(error)).toBe(false);
    expect(bus.double.requestCount).toBe(1);
  });
});
