import { z } from 'zod';
import { messageOf } from '../base/errors.ts';
import { jsonIn } from '../base/jsonDocument.ts';
import type { AuditFunction } from '../job/gateSettings.ts';
import type { AuditedManifest } from './ownAudit.ts';
import { type Verdict, verdictOf } from './verdict.ts';

/** What the function has to answer; more keys are its own. */
const answerSchema = z.object({
  passes: z.boolean(),
  /** A sentence. */
  reason: z.string().optional(),
  /** What was measured, and where it begins to be too much. */
  found: z.number().optional(),
  bound: z.number().optional(),
});
const failureSchema = z.object({ errorType: z.string().optional(), errorMessage: z.string().optional() });

/** Characters of an answer or an error that end up in the verdict. */
const TOLD = 500;
/** A request is tried this often in all, with the SDK's jittered backoff in between: throttled, or without an answer. */
const ATTEMPTS = 6;

/**
 * Asks a Lambda function, which is invoked with an AuditedManifest as JSON and waited for, whether a manifest may be published. An
 * answer other than `{"passes": true}`, an error of the function, one that can't be invoked or that takes too long doesn't pass,
 * and the verdict has what it said. It may be invoked again with the same manifest, as by an attempt that repeats a killed one.
 * Region, credentials and endpoint (AWS_ENDPOINT_URL_LAMBDA) come from where the SDK looks for them, the region of an ARN from it.
 */
export async function invokeAuditFunction(
  { function: name, action, timeoutSeconds }: AuditFunction,
  audited: AuditedManifest,
): Promise<Verdict> {
  const { found = Number.NaN, bound = Number.NaN, passes, reason } = await ask(name, timeoutSeconds, audited);
  const measured = { found, bound, isWithin: passes, against: '' };
  return verdictOf('audit', action, { ...measured, subject: name, reason });
}

type Answer = z.infer<typeof answerSchema> & { readonly reason: string };

async function ask(name: string, timeoutSeconds: number, audited: AuditedManifest): Promise<Answer> {
  const { LambdaClient, InvokeCommand } = await openSdk();
  const region = name.startsWith('arn:') ? { region: name.split(':')[3]! } : {};
  const client = new LambdaClient({ maxAttempts: ATTEMPTS, ...region });
  // Whole milliseconds are all that it takes: of 2.01 s there are 2009.9999999999998.
  const signal = AbortSignal.timeout(Math.ceil(1000 * timeoutSeconds));
  const request = new InvokeCommand({
    FunctionName: name,
    InvocationType: 'RequestResponse',
    Payload: new TextEncoder().encode(JSON.stringify(audited)),
  });
  try {
    const { FunctionError, Payload } = await client.send(request, { abortSignal: signal });
    const text = Payload?.transformToString() ?? '';
    return FunctionError === undefined ? answerOf(text) : failed(`it failed: ${failureOf(text)}`);
  } catch (error) {
    if (signal.aborted) return failed(`no answer within ${timeoutSeconds} s`);
    const { name: kind } = error as Error;
    return failed(`it could not be invoked: ${kind}: ${messageOf(error)}`);
  } finally {
    client.destroy();
  }
}

async function openSdk() {
  // As for S3: a warning about later versions doesn't belong above a command's output.
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true';
  return import('@aws-sdk/client-lambda');
}

function answerOf(text: string): Answer {
  const { success, data } = answerSchema.safeParse(jsonIn(text));
  if (!success) return failed(`it answered something else than {"passes": true} or false: ${text}`);
  const { reason = data.passes ? 'it passed the manifest' : 'it gave no reason' } = data;
  return { ...data, reason: reason.slice(0, TOLD) };
}

/** Of an error that the function has thrown, or that Lambda has ended it with. */
function failureOf(text: string): string {
  const { data } = failureSchema.safeParse(jsonIn(text));
  const told = [data?.errorType, data?.errorMessage].filter((each) => each !== undefined);
  return told.length === 0 ? text : told.join(': ');
}

function failed(reason: string): Answer {
  return { passes: false, reason: reason.slice(0, TOLD) };
}
