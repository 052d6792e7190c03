import { z } from 'zod';
import { startSpareThread } from '../lib/scoring/spareThread.ts';
import { openS3 } from '../lib/storage/s3Client.ts';

// zod compiles a schema for the documents to come; a function that reads few of each kind is faster without.
z.config({ jitless: true });
// Where a function's environment is complete from the start: a thread has the variables of the moment in which it is started.
if (process.env.AWS_LAMBDA_FUNCTION_NAME !== undefined) {
  // A cold start's first thread loads beside the function itself.
  startSpareThread();
  // Loaded with the function, the SDK is among what is compiled in advance. What is wrong with it, whoever uses it is told.
  openS3().catch(() => undefined);
}
