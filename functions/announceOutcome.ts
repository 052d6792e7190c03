import { type Announcer, announce, announceBlocked } from '../lib/publish/announce.ts';
import { eventBridgeAnnouncer } from '../lib/publish/eventBridgeAnnouncer.ts';
import { readPointer } from '../lib/publish/pointer.ts';
import type { PublishOutcome } from '../lib/publish/publishPartition.ts';
import { logger } from './telemetry.ts';

/** A stage's way to say that there is no bus: its parameters can't be empty. */
const NOBODY = 'none';

let kept: { readonly bus: string; readonly announcer: Announcer } | undefined;

/**
 * Tells readers what a publication has found visible, unless they were told: what it has published itself, what a killed
 * one before it has, and what an operator has rolled back to; and operators of what a gate has blocked. Without EVENT_BUS_NAME, or with `none`, nobody is told.
 * @throws Ncs4cvrError PUBLISH_NOT_ANNOUNCED, so that the publication is tried again and, unchanged, tells them
 */
export async function announceOutcome(
  { root, partition }: { readonly root: string; readonly partition: string },
  outcome: PublishOutcome,
): Promise<void> {
  const { EVENT_BUS_NAME: bus } = process.env;
  if (bus === undefined || bus === NOBODY) return;
  if (outcome.kind === 'refused') {
    if (outcome.blocked !== undefined) await announceBlocked(root, outcome.blocked, announcerTo(bus));
    return;
  }
  const pointer =
    'pointer' in outcome
      ? outcome.pointer
      : outcome.kind === 'held'
        ? (await readPointer(root, partition)).pointer
        : undefined;
  if (pointer === undefined) return;
  const { generation } = pointer;
  if (await announce(root, pointer, announcerTo(bus))) {
    logger.info('announced', { partition, generation, bus });
  }
}

/** One per execution environment, whose client is kept. */
function announcerTo(bus: string): Announcer {
  if (kept?.bus !== bus) kept = { bus, announcer: eventBridgeAnnouncer(bus) };
  return kept.announcer;
}
