import { Ncs4cvrError, StorageError } from '../base/errors.ts';
import { bundleDigest, readBundleManifest } from '../bundle/bundleManifest.ts';
import type { ModelChoice } from '../job/jobDocument.ts';
import { isSameModel, type ModelIdentity, modelIdentity } from '../publish/modelIdentity.ts';
import { storageFor } from '../storage/openStorage.ts';
import { joinUri } from '../storage/uri.ts';
import {
  bundlesUri,
  type ChannelPlace,
  channelNotFound,
  channelUri,
  digestOfBundle,
  type Promotion,
  readChannel,
} from './channelDocument.ts';

/** The bundle that a run scores with. */
export interface ResolvedModel {
  readonly uri: string;
  readonly model: ModelIdentity;
  /** What chose it; absent where a bundle was named. */
  readonly channel?: { readonly name: string; readonly generation: number };
}

/**
 * What a job's model is at this moment. What is planned afterwards, and pointers, name the immutable bundle: a channel that
 * moves later changes no run that was planned, and no shard that lands late. Files are verified by whoever scores.
 * @throws Ncs4cvrError CHANNEL_NOT_FOUND, CHANNEL_INVALID, CHANNEL_BUNDLE_MISSING, CHANNEL_OTHER_BUNDLE; BUNDLE_MANIFEST_INVALID and
 *   StorageError for a bundle that was named
 */
export async function resolveModel(choice: ModelChoice): Promise<ResolvedModel> {
  if (typeof choice === 'string') {
    return {
      uri: choice,
      model: modelIdentity({ manifest: await readBundleManifest(storageFor(choice), choice) }),
    };
  }
  const { document } = await readChannel(choice);
  if (document === undefined) throw channelNotFound(choice);
  const { current, generation } = document;
  const uri = joinUri(bundlesUri(choice.models), digestOfBundle(current));
  await refuseOtherBundle(uri, current, choice);
  return { uri, model: current.model, channel: { name: choice.channel, generation } };
}

async function refuseOtherBundle(uri: string, promotion: Promotion, place: ChannelPlace): Promise<void> {
  const { model } = promotion;
  const expected = digestOfBundle(promotion);
  const storage = storageFor(uri);
  let digest: string;
  try {
    digest = await bundleDigest(storage, uri);
  } catch (cause) {
    if (!(cause instanceof StorageError) || cause.code !== 'STORAGE_NOT_FOUND') throw cause;
    throw new Ncs4cvrError('CHANNEL_BUNDLE_MISSING', `${channelUri(place)} names a bundle that isn't there`, {
      file: uri,
      cause,
    });
  }
  const summary = "the bundle isn't the one that the channel names";
  if (digest !== expected) {
    throw new Ncs4cvrError('CHANNEL_OTHER_BUNDLE', summary, {
      file: uri,
      expected: `a manifest of sha256 ${expected}`,
      found: digest,
    });
  }
  const found = modelIdentity({ manifest: await readBundleManifest(storage, uri) });
  if (isSameModel(found, model)) return;
  throw new Ncs4cvrError('CHANNEL_OTHER_BUNDLE', summary, {
    file: uri,
    expected: `${model.version}, sha256 ${model.sha256}`,
    found: `${found.version}, sha256 ${found.sha256}`,
  });
}
