/** `0.1 %`: three digits. */
export function percent(share: number): string {
  return `${Number((share * 100).toPrecision(3))} %`;
}

/** `2,000`. */
export function grouped(count: number): string {
  return String(Math.round(count)).replace(/\B(?=(\d{3})+$)/g, ',');
}

/** Three digits of any number. */
export function short(value: number): string {
  return String(Number(value.toPrecision(3)));
}
