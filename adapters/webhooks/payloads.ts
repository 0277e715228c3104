import type { RolloutNotice } from '../../domain/rollout/notices.ts';

/** Standard Webhooks: the kind, the time it happened (ISO 8601), and what it is about. */
export function standardPayload(notice: RolloutNotice): string {
  const { kind, atMs, ...data } = notice;
  return JSON.stringify({ type: kind, timestamp: new Date(atMs).toISOString(), data: snakeCased(data) });
}

function snakeCased(data: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(data).map(([key, value]) => [key.replaceAll(/[A-Z]/g, (c) => `_${c.toLowerCase()}`), value]),
  );
}

const SIGNS: Readonly<Partial<Record<RolloutNotice['kind'], string>>> = {
  'rollout.rollback': ':rewind:',
  'rollout.promoted': ':white_check_mark:',
  'rollout.approvalNeeded': ':raised_hand:',
};

/** `&`, `<` and `>` are control characters in Slack's text; nothing else is. */
const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

/** Slack's incoming webhooks: `text` is what a notification on a phone shows, the blocks are the message. */
export function slackPayload(notice: RolloutNotice): string {
  const { model, candidate, champion, phase, weightPercent, message, reason } = notice;
  const text = `${SIGNS[notice.kind] ?? ':information_source:'} ${escaped(message)}`;
  const facts = [
    `*model* ${escaped(model)}`,
    `*version* ${candidate}`,
    `*champion* ${champion ?? 'none'}`,
    `*phase* ${escaped(phase)}`,
    `*weight* ${weightPercent} %`,
  ];
  return JSON.stringify({
    text,
    blocks: [
      { type: 'section', text: { type: 'mrkdwn', text } },
      ...(reason === null || message.includes(reason)
        ? []
        : [{ type: 'section', text: { type: 'mrkdwn', text: escaped(reason) } }]),
      { type: 'context', elements: [{ type: 'mrkdwn', text: facts.join('  ·  ') }] },
    ],
  });
}
