import { z } from 'zod';
import { Ncs4cvrError } from '../base/errors.ts';
import { decodeDocument, encodeJson } from '../base/jsonDocument.ts';
import { modelIdentitySchema } from '../publish/modelIdentity.ts';
import { storageFor } from '../storage/openStorage.ts';
import { writeIfUnchanged } from '../storage/storage.ts';
import { joinUri } from '../storage/uri.ts';

/** A bundle that a channel names, or has named. */
const promotionSchema = z.strictObject({
  /** Below the models root. Nothing else is taken: a channel can't lead out of its root, nor to a folder that changes. */
  bundle: z.string().regex(/^bundles\/[0-9a-f]{64}$/, 'expected bundles/ and a sha256 in lower-case hex'),
  model: modelIdentitySchema,
  /** For people only. */
  promotedAt: z.iso.datetime(),
});
export type Promotion = Readonly<z.infer<typeof promotionSchema>>;

/** How many earlier bundles a channel names: so far one can roll back. */
const HISTORY_LENGTH = 20;

const FORMAT_VERSION = 1;

/** @internal exported for the reference of documents */
export const channelSchema = z.strictObject({
  formatVersion: z.literal(FORMAT_VERSION),
  channel: z.string(),
  /** Counts the flips, from 1. */
  generation: z.int().min(1),
  /** What runs score with. */
  current: promotionSchema,
  /** Was the last flip a roll-back? Then a step back, repeated, doesn't return to what was left. */
  isRolledBack: z.boolean(),
  /** What was current before, the last one first, each bundle once. */
  history: z.array(promotionSchema).max(HISTORY_LENGTH).readonly(),
});
export type Channel = Readonly<z.infer<typeof channelSchema>>;

/** A channel of a models root. */
export interface ChannelPlace {
  /** Root that holds `channels/` and `bundles/`. */
  readonly models: string;
  readonly channel: string;
}

/** A channel as it was read, for a replacement that fails when it has changed since. */
export interface ChannelState {
  /** Undefined for a channel that nothing was promoted to. */
  readonly document: Channel | undefined;
  readonly version: string | undefined;
}

export const channelUri = ({ models, channel }: ChannelPlace): string =>
  joinUri(models, 'channels', `${channel}.json`);
/** Where bundles are that channels name, each in a folder named by its digest. */
export const bundlesUri = (models: string): string => joinUri(models, 'bundles');
export const bundleName = (digest: string): string => `bundles/${digest}`;
export const digestOfBundle = ({ bundle }: Promotion): string => bundle.slice('bundles/'.length);

/** @throws ProblemsError CHANNEL_INVALID with every problem; Ncs4cvrError CHANNEL_NEWER; nothing that is no channel is ever replaced */
export async function readChannel(place: ChannelPlace): Promise<ChannelState> {
  const file = channelUri(place);
  const found = await storageFor(file).readVersioned(file);
  if (found === undefined) return { document: undefined, version: undefined };
  const document = decodeDocument(found.bytes, channelSchema, {
    code: 'CHANNEL_INVALID',
    summary: "this isn't a valid channel; another program may have changed it",
    file,
    later: {
      known: FORMAT_VERSION,
      code: 'CHANNEL_NEWER',
      what: 'this channel was written',
      advice: 'use that version (deploy it, install it)',
    },
    crossCheck: (channel) =>
      channel === undefined || channel.channel === place.channel
        ? []
        : [`channel: expected '${place.channel}', as the file is named, found '${channel.channel}'`],
  });
  return { document, version: found.version };
}

/**
 * The one step by which a model goes live.
 * @returns undefined when the channel isn't what `state` says any more
 */
export async function flipChannel(
  place: ChannelPlace,
  { document, version }: ChannelState,
  current: Promotion,
  isRolledBack: boolean,
): Promise<Channel | undefined> {
  const earlier = document === undefined ? [] : [document.current, ...document.history];
  const next: Channel = {
    formatVersion: FORMAT_VERSION,
    channel: place.channel,
    generation: (document?.generation ?? 0) + 1,
    current,
    isRolledBack,
    history: earlier.filter(({ bundle }) => bundle !== current.bundle).slice(0, HISTORY_LENGTH),
  };
  const uri = channelUri(place);
  const written = await writeIfUnchanged(storageFor(uri), uri, encodeJson(next), version);
  return written === undefined ? undefined : next;
}

export function channelNotFound(place: ChannelPlace): Ncs4cvrError {
  return new Ncs4cvrError('CHANNEL_NOT_FOUND', 'nothing was promoted to this channel', {
    file: channelUri(place),
  });
}
