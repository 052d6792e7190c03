import { openS3 } from '../lib/storage/s3Client.ts';
import { tracer } from './telemetry.ts';

let captured: Promise<unknown> | undefined;

/**
 * Runs work in a subsegment of its own, under annotations that traces are searched by. S3 and SQS calls are subsegments of
 * it. Outside of Lambda it is the work alone.
 */
export async function traced<T>(
  name: string,
  annotations: Readonly<Record<string, string>>,
  work: () => Promise<T>,
): Promise<T> {
  if (!tracer.isTracingEnabled()) return work();
  // lib's own client: it knows nothing of tracing.
  captured ??= openS3().then(({ client }) => tracer.captureAWSv3Client(client));
  await captured;
  const result = tracer.provider.captureAsyncFunc(name, async (subsegment) => {
    try {
      tracer.annotateColdStart();
      for (const [key, value] of Object.entries(annotations)) tracer.putAnnotation(key, value);
      return await work();
    } catch (error) {
      tracer.addErrorAsMetadata(error as Error);
      throw error;
    } finally {
      subsegment?.close();
    }
  });
  return result as Promise<T>;
}

/** What is known of the work only while it is done. */
export function annotate(key: string, value: string): void {
  tracer.putAnnotation(key, value);
}
