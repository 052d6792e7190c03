import { z } from 'zod';
import { decodeDocument, encodeJson } from '../base/jsonDocument.ts';
import { storageFor } from '../storage/openStorage.ts';
import { writeIfUnchanged } from '../storage/storage.ts';
import { joinUri } from '../storage/uri.ts';

/** A partition of an output root. */
export interface ArrivalPlace {
  /** Output root of the scores. */
  readonly root: string;
  /** Such as `dt=2022-05-06`. */
  readonly partition: string;
}

const FORMAT_VERSION = 2;

const stateSchema = z.strictObject({
  /** The first one had no `isBegun`. */
  formatVersion: z.union([z.literal(1), z.literal(FORMAT_VERSION)]),
  partition: z.string(),
  /** Counts the runs that arrivals have started, from 1. */
  round: z.int().min(1),
  /** Of this round; kept, so that a run's input follows from its round even when the setting has changed since. */
  waitSeconds: z.int().min(0),
  /** Has this round's run not finished yet? It may not have started either. */
  isRunning: z.boolean(),
  /** Has this round's run said that it is about to plan? */
  isBegun: z.boolean().default(false),
  /** Has anything landed that this round's plan may not have seen? */
  isPending: z.boolean(),
});
/** Which run of arrivals a partition has (docs/publish-protocol.md, "Arrivals"). */
export type ArrivalState = Readonly<z.infer<typeof stateSchema>>;

/** A state as it was read, for a replacement that fails when it has changed since. */
export interface VersionedState {
  /** Undefined for a partition in which nothing has landed yet. */
  readonly state: ArrivalState | undefined;
  readonly version: string | undefined;
}

/** @internal exported for tests: what is left behind is looked at there */
export const arrivalsUri = ({ root, partition }: ArrivalPlace): string =>
  joinUri(root, 'arrivals', `${partition}.json`);

/** @throws ProblemsError ARRIVALS_INVALID naming every problem; Ncs4cvrError ARRIVALS_NEWER; StorageError */
export async function readArrivalState(place: ArrivalPlace): Promise<VersionedState> {
  const uri = arrivalsUri(place);
  const found = await storageFor(uri).readVersioned(uri);
  if (found === undefined) return { state: undefined, version: undefined };
  const state = decodeDocument(found.bytes, stateSchema, {
    code: 'ARRIVALS_INVALID',
    summary: "this isn't a valid document of arrivals; another program may have changed it",
    file: uri,
    later: {
      known: FORMAT_VERSION,
      code: 'ARRIVALS_NEWER',
      what: 'these arrivals were noted',
      advice: 'deploy that version again',
    },
  });
  return { state, version: found.version };
}

/** @returns false when the state isn't what was read any more; nothing has changed then */
export async function replaceArrivalState(
  place: ArrivalPlace,
  { version }: VersionedState,
  next: Omit<ArrivalState, 'formatVersion' | 'partition'>,
): Promise<boolean> {
  const uri = arrivalsUri(place);
  const { partition } = place;
  const bytes = encodeJson({ ...next, formatVersion: FORMAT_VERSION, partition } satisfies ArrivalState);
  return (await writeIfUnchanged(storageFor(uri), uri, bytes, version)) !== undefined;
}
