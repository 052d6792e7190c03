import { expect, it } from 'vitest';
import { expectRows, first, second } from '../publish/partitionUnderTest.ts';
import { testEndpoint } from '../support/s3/testEndpoint.ts';
import { DeployedFunctions } from './deployedFunctions.ts';

// What a process of the score function keeps between invocations.
const s3 = testEndpoint();
const lambda = new DeployedFunctions(s3);
const modelReads = () => s3.double!.requests.filter(({ key }) => key === 'model/model.onnx').length;

it('a warm process does not read the model again, a new one does', async () => {
  const before = modelReads();
  lambda.land('a.parquet', first);
  const [unit, ...others] = await lambda.plannedUnits();
  await lambda.functions.score.invoke(unit);
  expect(modelReads()).toBe(before + 1);
  for (const other of others) await lambda.functions.score.invoke(other);
  expect(lambda.keys('parts')).toHaveLength(4);
  expect(modelReads()).toBe(before + 1);
  await lambda.functions.score.kill();
  lambda.land('b.parquet', second);
  await lambda.deliverAll();
  expect(modelReads()).toBe(before + 2);
  await expectRows(lambda.place, lambda.model.bundle, first, second);
});

it('a model that could not be loaded fails one unit once, and the same process takes it when it is there', async () => {
  lambda.land('a.parquet', first);
  const [unit] = await lambda.plannedUnits();
  s3.double!.options = {
    fault: ({ key }) =>
      key === 'model/model.onnx' ? { kind: 'status', status: 403, code: 'AccessDenied' } : undefined,
  };
  await expect(lambda.functions.score.invoke(unit)).rejects.toThrow('STORAGE_ACCESS_DENIED');
  s3.double!.options = {};
  await lambda.deliverAll();
  await expectRows(lambda.place, lambda.model.bundle, first);
  expect(lambda.functions.score.starts).toBe(1);
});
