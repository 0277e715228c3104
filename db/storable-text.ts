/** NUL, which no text of Postgres can hold, and halves of surrogate pairs, which JSON columns refuse. */
// eslint-disable-next-line no-control-regex -- NUL is what this is about
const NOT_STORABLE = /\u0000|\p{Surrogate}/gu;

/** The text with every character that Postgres refuses shown as the replacement character U+FFFD. */
export function storable(text: string): string {
  return text.replace(NOT_STORABLE, '\uFFFD');
}
