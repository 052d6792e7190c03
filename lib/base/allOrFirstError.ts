/**
 * As `Promise.all`, but waits for all, also after a failure: their file may be closed then, or their memory used for something
 * else.
 * @throws the error of the first one in the list that failed, whichever failed first
 */
export async function allOrFirstError<T>(promises: readonly Promise<T>[]): Promise<T[]> {
  return (await Promise.allSettled(promises)).map((result) => {
    if (result.status === 'rejected') throw result.reason;
    return result.value;
  });
}
