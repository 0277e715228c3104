import type { Style } from './style.ts';

/** A bar of `columns` characters for a share of 0..1; anything above nothing shows at least one full character. */
export function renderBar(share: number, columns: number, style: Style): string {
  const bounded = Number.isFinite(share) ? Math.min(1, Math.max(0, share)) : 0;
  const rounded = Math.round(bounded * columns);
  const full = bounded > 0 ? Math.max(1, rounded) : 0;
  return style.signs.full.repeat(full) + style.signs.empty.repeat(columns - full);
}
