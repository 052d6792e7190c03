import { z } from 'zod';
import { startSpareThread } from '../lib/scoring/spareThread.ts';
import { openS3 } from '../lib/storage/s3Client.ts';

// A cold start's first thread loads beside the function itself.
startSpareThread();
// zod compiles a schema for the documents to come; a function that reads few of each kind is faster without.
z.config({ jitless: true });
// Loaded with the function, the SDK is among what is compiled in advance. What is wrong with it, whoever uses it is told.
openS3().catch(() => undefined);
