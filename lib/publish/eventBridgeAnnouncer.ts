import { type ErrorDetails, messageOf, Ncs4cvrError } from '../base/errors.ts';
import { mayPass, type RetryLaw, retry } from '../base/retry.ts';
import type { Announcer, ScoresEvent } from './announce.ts';

/** What rules match on, beside the fields of the event. */
const EVENT_SOURCE = 'ncs4cvr';

/** A request is tried this often in all, with the SDK's jittered backoff in between. */
const ATTEMPTS = 6;
/** For an answer that takes the request and not its event. */
const ENTRY_LAW: RetryLaw = { attempts: 5, firstPauseMillis: 200, growth: 2, longestPauseMillis: 3000 };
/** Errors that another try may pass. */
const PASSING = /Throttl|InternalFailure|InternalException|Unavailable/;

/**
 * Sends events to a bus of EventBridge, which delivers each at least once. Region, credentials and endpoint
 * (AWS_ENDPOINT_URL_EVENTBRIDGE) come from where the SDK looks for them; it is loaded with the first event.
 * @param bus name or ARN, such as `default`
 */
export function eventBridgeAnnouncer(bus: string): Announcer {
  let opened: ReturnType<typeof openEventBridge> | undefined;
  return {
    async send(event) {
      opened ??= openEventBridge();
      const { sdk, client } = await opened;
      const entry = {
        EventBusName: bus,
        Source: EVENT_SOURCE,
        DetailType: event.type,
        Detail: JSON.stringify(event.detail),
      };
      const put = () => client.send(new sdk.PutEventsCommand({ Entries: [entry] }));
      await retry(
        async () => {
          const { Entries = [] } = await put().catch((cause: unknown) => {
            throw notAnnounced(event, bus, messageOf(cause), { cause, retryable: mayPassLater(cause) });
          });
          // An entry that isn't taken is no error of the request.
          const [answer] = Entries;
          if (answer?.EventId !== undefined) return;
          const { ErrorCode = 'no event id', ErrorMessage = '' } = answer ?? {};
          const found = `${ErrorCode} ${ErrorMessage}`.trim();
          throw notAnnounced(event, bus, found, { retryable: PASSING.test(ErrorCode) });
          // The SDK has tried requests again.
        },
        ENTRY_LAW,
        { isWorthwhile: (error) => mayPass(error) && (error as Error).cause === undefined },
      );
    },
  };
}

async function openEventBridge() {
  // As for S3: a warning about later versions doesn't belong above a command's output.
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true';
  const sdk = await import('@aws-sdk/client-eventbridge');
  return { sdk, client: new sdk.EventBridgeClient({ maxAttempts: ATTEMPTS }) };
}

/** No answer, or one that says "later"; but not missing credentials. */
function mayPassLater(thrown: unknown): boolean {
  const { name = '', $metadata } = (thrown ?? {}) as {
    readonly name?: string;
    readonly $metadata?: { readonly httpStatusCode?: number };
  };
  const status = $metadata?.httpStatusCode;
  return (
    (status === undefined && name !== 'CredentialsProviderError') ||
    Number(status) >= 500 ||
    PASSING.test(name)
  );
}

function notAnnounced(
  { type, detail: { partition, generation } }: ScoresEvent,
  bus: string,
  found: string,
  details: Pick<ErrorDetails, 'cause' | 'retryable'>,
): Ncs4cvrError {
  const summary =
    type === 'Scores Published'
      ? `generation ${generation} of ${partition} is published, but nobody was told`
      : `${partition} is blocked, but nobody was told`;
  const expected = 'the bus to take the event';
  return new Ncs4cvrError('PUBLISH_NOT_ANNOUNCED', summary, { file: bus, expected, found, ...details });
}
