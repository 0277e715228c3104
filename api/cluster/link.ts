/** Calls between the primary and a serving process, over the channel that Node opens between them. */

/** What the two may ask of each other: by topic, what is sent and what comes back. */
export type Calls = Readonly<Record<string, { readonly body: unknown; readonly reply: unknown }>>;

/** One end of a channel; what is sent must survive structured JSON. */
export interface Channel {
  /** False when the other side is gone. */
  send(message: object): boolean;
  onMessage(listener: (message: unknown) => void): void;
}

export type LinkMessage =
  | { readonly link: 'ask'; readonly id: number; readonly topic: string; readonly body: unknown }
  | { readonly link: 'reply'; readonly id: number; readonly reply: unknown }
  | { readonly link: 'failure'; readonly id: number; readonly message: string };

export interface Link<Asked extends Calls, Answered extends Calls> {
  /** Rejects when the other side is gone, fails, or takes longer. */
  ask<T extends keyof Asked & string>(topic: T, body: Asked[T]['body'], limitMs: number): Promise<Asked[T]['reply']>;
  /** One handler per topic. */
  answer<T extends keyof Answered & string>(
    topic: T,
    handler: (body: Answered[T]['body']) => Answered[T]['reply'] | Promise<Answered[T]['reply']>,
  ): void;
}

/** Asked and not answered yet: nothing asks more than a few things at once, whatever callers do. */
const OPEN_ASKS_MAX = 10_000;

interface Waiter {
  readonly resolve: (reply: unknown) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

type Handler = (body: unknown) => unknown;

export function createLink<Asked extends Calls, Answered extends Calls>(channel: Channel): Link<Asked, Answered> {
  const handlers = new Map<string, Handler>();
  const waiters = new Map<number, Waiter>();
  let lastId = 0;

  function settle(id: number, finish: (waiter: Waiter) => void): void {
    const waiter = waiters.get(id);
    // The limit has passed already.
    if (waiter === undefined) return;
    clearTimeout(waiter.timer);
    waiters.delete(id);
    finish(waiter);
  }

  async function reply(id: number, topic: string, body: unknown): Promise<void> {
    try {
      const handler = handlers.get(topic);
      if (handler === undefined) throw new Error(`nobody answers to ${topic}`);
      const message: LinkMessage = { link: 'reply', id, reply: await handler(body) };
      channel.send(message);
    } catch (error) {
      channel.send({ link: 'failure', id, message: error instanceof Error ? error.message : String(error) });
    }
  }

  channel.onMessage((received) => {
    if (!isLinkMessage(received)) return;
    const message = received;
    switch (message.link) {
      case 'ask':
        void reply(message.id, message.topic, message.body);
        break;
      case 'reply':
        settle(message.id, ({ resolve }) => resolve(message.reply));
        break;
      case 'failure':
        settle(message.id, ({ reject }) => reject(new Error(message.message)));
        break;
    }
  });

  function ask(topic: string, body: unknown, limitMs: number): Promise<unknown> {
    if (waiters.size >= OPEN_ASKS_MAX) return Promise.reject(new Error(`too many open calls; ${topic} was not sent`));
    const id = (lastId += 1);
    return new Promise((resolve, reject) => {
      const late = (): void => settle(id, () => reject(new Error(`no answer to ${topic} within ${limitMs} ms`)));
      waiters.set(id, { resolve, reject, timer: setTimeout(late, limitMs).unref() });
      if (!channel.send({ link: 'ask', id, topic, body })) {
        settle(id, () => reject(new Error(`${topic} could not be sent: the other process is gone`)));
      }
    });
  }

  return {
    ask,
    answer: (topic, handler) => void handlers.set(topic, handler),
  };
}

function isLinkMessage(message: unknown): message is LinkMessage {
  return typeof message === 'object' && message !== null && 'link' in message;
}
