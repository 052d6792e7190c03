import { Logger } from '@aws-lambda-powertools/logger';
import { Metrics } from '@aws-lambda-powertools/metrics';
import type { Context } from 'aws-lambda';
import { CODE_VERSION } from '../lib/base/codeVersion.ts';
import { mayPass } from '../lib/base/retry.ts';

// One of each per execution environment. Names and levels come from POWERTOOLS_* and the function's own environment.
const serviceName = 'ncs4cvr';
export const logger = new Logger({ serviceName, persistentKeys: { code_version: CODE_VERSION } });
export const metrics = new Metrics({
  serviceName,
  namespace: process.env.POWERTOOLS_METRICS_NAMESPACE ?? serviceName,
});

/** What of Lambda's context tells one invocation from another; absent when a handler is called by hand. */
export type Invocation = Partial<Pick<Context, 'awsRequestId'>>;

/** Runs an invocation: its log records name its request, and what was counted is written however it ends. */
export async function observed<T>(invocation: Invocation | undefined, work: () => Promise<T>): Promise<T> {
  // appendKeys passes over undefined: the key of an earlier call would stay.
  logger.removeKeys(['function_request_id']);
  logger.appendKeys({ function_request_id: invocation?.awsRequestId });
  try {
    return await work();
  } finally {
    // Powertools warns in plain text when nothing was counted.
    if (metrics.hasStoredMetrics()) metrics.publishStoredMetrics();
  }
}

/** Logs an error with whether the same work may succeed later, without a change by anybody. */
export function logFailure(
  failure: string,
  error: unknown,
  keys: Readonly<Record<string, string>> = {},
): void {
  logger.error(failure, { error: error as Error, retryable: mayPass(error), ...keys });
}
