import { DomainError } from '../../domain/errors.ts';
import type { RolloutNotice } from '../../domain/rollout/notices.ts';
import { slackPayload, standardPayload } from './payloads.ts';
import { postJson, type PostOptions } from './post-json.ts';
import type { Sealer } from './sealer.ts';
import { signedHeaders } from './signature.ts';

/** Deliveries remembered, so that a second try leaves out who has heard it; older ones are known by their id. */
const REMEMBERED_MAX = 10_000;

/** What is sealed of a webhook. */
export interface WebhookSecrets {
  readonly url: string;
  readonly secret: string;
}

interface Webhook {
  readonly id: string;
  readonly target: string;
  readonly format: 'standard' | 'slack';
  readonly sealed: string;
  /** Kinds of notices; empty: all. */
  readonly events: readonly string[];
}

export interface NotifierDeps {
  readonly webhooks: {
    list(): Promise<readonly Webhook[]>;
    /** How the last delivery ended. */
    note(id: string, outcome: string): Promise<void>;
  };
  readonly sealer: Sealer;
  readonly post: PostOptions;
  /** Epoch ms. */
  readonly now: () => number;
}

export interface Notifier {
  /**
   * Tells every webhook that wants to hear it.
   * @throws DomainError `unavailable` naming those that did not take it; called again, it leaves out the others
   */
  notify(notice: RolloutNotice): Promise<void>;
  /** One delivery to one webhook, whatever it listens to. @throws DomainError `unavailable`, `refused` */
  deliver(webhook: Webhook, notice: RolloutNotice): Promise<void>;
}

export function createNotifier({ webhooks, sealer, post, now }: NotifierDeps): Notifier {
  const heard = new Set<string>();

  async function deliver(webhook: Webhook, notice: RolloutNotice): Promise<void> {
    const { url, secret } = JSON.parse(await sealer.open(webhook.sealed)) as WebhookSecrets;
    const body = webhook.format === 'slack' ? slackPayload(notice) : standardPayload(notice);
    const headers = signedHeaders({ id: notice.id, atMs: now(), body }, secret);
    try {
      await postJson(url, body, { ...headers, 'user-agent': 'sluice-webhooks' }, post);
      await webhooks.note(webhook.id, 'delivered').catch(() => undefined);
    } catch (error) {
      await webhooks.note(webhook.id, (error as Error).message).catch(() => undefined);
      throw error;
    }
  }

  return {
    deliver,
    notify: async (notice) => {
      const wanted = (await webhooks.list()).filter((w) => w.events.length === 0 || w.events.includes(notice.kind));
      const missed = await Promise.all(
        wanted.map(async (webhook) => {
          const delivery = `${webhook.id} ${notice.id}`;
          if (heard.has(delivery)) return [];
          try {
            await deliver(webhook, notice);
          } catch (error) {
            return [`${webhook.target} (${(error as Error).message})`];
          }
          if (heard.size >= REMEMBERED_MAX) heard.clear();
          heard.add(delivery);
          return [];
        }),
      );
      if (missed.flat().length === 0) return;
      throw new DomainError('unavailable', `${notice.kind} did not reach ${missed.flat().join(', ')}`);
    },
  };
}
