import { Ncs4cvrError } from '../base/errors.ts';
import { installBundle, loadInstalledBundle } from '../bundle/installBundle.ts';
import { modelIdentity } from '../publish/modelIdentity.ts';
import {
  bundleName,
  bundlesUri,
  type Channel,
  type ChannelPlace,
  channelNotFound,
  channelUri,
  digestOfBundle,
  flipChannel,
  readChannel,
} from './channelDocument.ts';

/** What a channel names after a command, and whether that command has changed it. */
export interface PromotionOutcome {
  readonly kind: 'promoted' | 'rolled back' | 'unchanged';
  readonly channel: Channel;
}

/**
 * Copies a bundle to its place below the models root, verifies it there and makes the channel name it. Of callers at the
 * same time each one flips the channel, one after the other: the last one's bundle is current, the others' are in the
 * history. A call that was cut off is repeated as it was.
 * @param nowMillis since 1970, for `promotedAt`
 * @throws Ncs4cvrError CHANNEL_INVALID; as loadBundle, with the channel as it was
 */
export async function promoteBundle(
  source: string,
  place: ChannelPlace,
  nowMillis: number,
): Promise<PromotionOutcome> {
  // Told before a model is copied.
  await readChannel(place);
  const { digest, bundle } = await installBundle(source, bundlesUri(place.models));
  const promotion = {
    bundle: bundleName(digest),
    model: modelIdentity(bundle),
    promotedAt: new Date(nowMillis).toISOString(),
  };
  for (;;) {
    const state = await readChannel(place);
    if (state.document?.current.bundle === promotion.bundle)
      return { kind: 'unchanged', channel: state.document };
    const flipped = await flipChannel(place, state, promotion, false);
    if (flipped !== undefined) return { kind: 'promoted', channel: flipped };
  }
}

export interface RollBackOptions {
  /** Digest of the bundle, or how it begins; the one before the current by default, one step only. */
  readonly to?: string;
  /** Milliseconds since 1970, for `promotedAt`. */
  readonly nowMillis: number;
}

/**
 * Makes a channel name a bundle of its history again: one conditional write. Repeating it changes nothing: the channel
 * knows that its last flip was a roll-back.
 * @throws Ncs4cvrError CHANNEL_NOT_FOUND, CHANNEL_NO_HISTORY, CHANNEL_MOVED; as loadBundle when the bundle isn't what it was
 */
export async function rollBackChannel(
  place: ChannelPlace,
  { to, nowMillis }: RollBackOptions,
): Promise<PromotionOutcome> {
  const state = await readChannel(place);
  const { document } = state;
  if (document === undefined) throw channelNotFound(place);
  const { current, history, isRolledBack } = document;
  const isThere = to === undefined ? isRolledBack : digestOfBundle(current).startsWith(to);
  if (isThere) return { kind: 'unchanged', channel: document };
  const matching = history.filter((promotion) => digestOfBundle(promotion).startsWith(to ?? ''));
  const [target] = matching;
  if (target === undefined || (to !== undefined && matching.length > 1)) {
    throw new Ncs4cvrError('CHANNEL_NO_HISTORY', 'there is no such earlier bundle to roll back to', {
      file: channelUri(place),
      ...(to === undefined ? {} : { expected: `one that begins with ${to}` }),
      found: describeHistory(document) || 'no earlier bundle',
    });
  }
  // A bundle that is gone or damaged is reported while the channel names a good one.
  await loadInstalledBundle(bundlesUri(place.models), digestOfBundle(target));
  const promotion = { ...target, promotedAt: new Date(nowMillis).toISOString() };
  const flipped = await flipChannel(place, state, promotion, true);
  if (flipped !== undefined) return { kind: 'rolled back', channel: flipped };
  throw new Ncs4cvrError(
    'CHANNEL_MOVED',
    'a bundle was promoted at the same moment; look at the channel, then roll back again',
    { file: channelUri(place), retryable: true },
  );
}

/** Earlier bundles as an operator names them. */
export function describeHistory({ history }: Channel): string {
  return history.map((each) => `${digestOfBundle(each).slice(0, 12)} (${each.model.version})`).join(', ');
}
