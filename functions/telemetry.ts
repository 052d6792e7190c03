import { Logger } from '@aws-lambda-powertools/logger';
import { Metrics } from '@aws-lambda-powertools/metrics';
import { Tracer } from '@aws-lambda-powertools/tracer';

// One of each an execution environment. Names and levels come from POWERTOOLS_* and the function's own environment.
const serviceName = 'ncs4cvr';
export const logger = new Logger({ serviceName });
export const metrics = new Metrics({
  serviceName,
  namespace: process.env.POWERTOOLS_METRICS_NAMESPACE ?? serviceName,
});
// Clients are captured one by one (traced.ts): the SDK marks its requests, and the patch of http passes over marked ones.
export const tracer = new Tracer({ serviceName, captureHTTPsRequests: false });

/** Writes what was counted in an invocation. Powertools warns in plain text when that is nothing. */
export function publishMetrics(): void {
  if (metrics.hasStoredMetrics()) metrics.publishStoredMetrics();
}
