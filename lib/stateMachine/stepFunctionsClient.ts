import type { SFNClient } from '@aws-sdk/client-sfn';
import { regionOf } from './arns.ts';

/** The SDK and one client of it. */
export interface StepFunctions {
  readonly sdk: typeof import('@aws-sdk/client-sfn');
  readonly client: SFNClient;
}

/** A request is tried this often in all, with the SDK's jittered backoff in between. */
const ATTEMPTS = 6;

/**
 * A client for the region that an ARN names. Credentials and endpoint (AWS_ENDPOINT_URL_SFN) come from where the SDK
 * looks for them. The SDK is loaded here and not before: commands that start no state machine don't wait for it.
 */
export async function openStepFunctions(arn: string): Promise<StepFunctions> {
  // As for S3: that later versions won't support this Node is nothing to say at the head of a command's output.
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true';
  const sdk = await import('@aws-sdk/client-sfn');
  return { sdk, client: new sdk.SFNClient({ region: regionOf(arn), maxAttempts: ATTEMPTS }) };
}
