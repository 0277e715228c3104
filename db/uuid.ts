const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Whether a string can be compared with a uuid column: Postgres fails the statement on anything else. */
export function isUuid(value: string): boolean {
  return UUID.test(value);
}
