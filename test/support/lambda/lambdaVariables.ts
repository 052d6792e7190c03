export interface FunctionDescription {
  readonly name: string;
  /** Folder of the unzipped function. */
  readonly taskRoot: string;
  /** Megabytes; told to the function, not enforced. */
  readonly memorySize?: number;
}

export const LAMBDA_REGION = 'eu-central-1';

/** The variables that Lambda sets (Lambda developer guide, "Defined runtime environment variables"). */
export function lambdaVariables({ name, taskRoot, memorySize = 3538 }: FunctionDescription) {
  return {
    PATH: '/usr/local/bin:/usr/bin/:/bin',
    LANG: 'en_US.UTF-8',
    TZ: ':UTC',
    LAMBDA_TASK_ROOT: taskRoot,
    LAMBDA_RUNTIME_DIR: '/var/runtime',
    _HANDLER: 'index.handler',
    AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs24.x',
    AWS_REGION: LAMBDA_REGION,
    AWS_DEFAULT_REGION: LAMBDA_REGION,
    AWS_LAMBDA_FUNCTION_NAME: name,
    AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(memorySize),
    AWS_LAMBDA_INITIALIZATION_TYPE: 'on-demand',
    AWS_LAMBDA_LOG_GROUP_NAME: `/aws/lambda/${name}`,
    AWS_LAMBDA_LOG_STREAM_NAME: '2024/03/09/[$LATEST]0123456789abcdef',
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
    AWS_SESSION_TOKEN: 'test',
  };
}
