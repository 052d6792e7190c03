// Preloaded into the built command (`node --import`): writes what the scoring thread gives to its session, for bareSession.ts.
// FEEDS names the file. Nothing here knows how rows become tensors, so that any version of the command can be recorded.
import { createRequire } from 'node:module';
import { isMainThread } from 'node:worker_threads';
import type { InferenceSession } from 'onnxruntime-node';
import { FeedsRecorder, type FeedTensor } from './feedsFile.ts';

// The main thread runs the golden rows only.
if (!isMainThread && process.env.FEEDS !== undefined) record(process.env.FEEDS);

function record(file: string): void {
  // The types show a factory; what is there is a class.
  const { prototype } = createRequire(process.argv[1]!)('onnxruntime-node').InferenceSession as {
    readonly prototype: { run: InferenceSession['run'] };
  };
  const recorder = new FeedsRecorder();
  const original = prototype.run;
  prototype.run = function (this: InferenceSession, feeds: InferenceSession.FeedsType) {
    if (!recorder.isFull) {
      const tensors = Object.entries(feeds).map(([name, { type, dims, data }]) => {
        return { name, type, dims: [...dims], data } as FeedTensor;
      });
      recorder.add(tensors);
    }
    return Reflect.apply(original, this, [feeds]);
  };
  process.on('exit', () => recorder.write(file));
}
