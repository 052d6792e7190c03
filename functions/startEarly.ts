import { z } from 'zod';
import { openS3 } from '../lib/storage/s3Client.ts';

// zod compiles a schema for the documents to come; a function that reads few of each kind is faster without.
z.config({ jitless: true });
// Where a function's environment is complete from the start, the SDK is loaded with the function. What is wrong with it, whoever uses
// it is told.
if (process.env.AWS_LAMBDA_FUNCTION_NAME !== undefined) openS3().catch(() => undefined);
