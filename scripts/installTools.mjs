// Installs what CI's steps behind the tests need, so that it comes from the network meanwhile (.ci/run). A step whose part is missing
// installs it itself, and says why where that can't be done.
import { cfnLint, moto } from './pythonTools.mjs';

for (const install of [
  () => import('./installLambdaRuntime.mjs'),
  () => import('./installNodeVersions.mjs'),
  moto,
  cfnLint,
]) {
  await install();
}
