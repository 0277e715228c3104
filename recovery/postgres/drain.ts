/** Reads what is left of a source and drops it. */
export async function drain(source: AsyncIterable<unknown>): Promise<void> {
  const rest = source[Symbol.asyncIterator]();
  while ((await rest.next()).done !== true);
}
