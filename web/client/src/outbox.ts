// Messages on their way: kept until the server has them, sent in order, and sent again with the same clientMessageId.
import type { Message, Replies } from "./contract.js";
import { ParleyError } from "./protocol.js";

export interface OutboxEntry {
  conversationId: string;
  clientMessageId: string;
  text: string;
  replyTo?: string;
  mentions?: string[];
  createTime: string;
  /** Why the server refused it; it is not sent again by itself. */
  error?: string;
}

/** Keeps the entries between visits. */
export interface OutboxStore {
  load(): OutboxEntry[];
  save(entries: readonly OutboxEntry[]): void;
}

type Send = (entry: OutboxEntry) => Promise<Replies["message.send"]>;

const FIRST_DELAY_MS = 300;
const LONGEST_DELAY_MS = 10_000;

export class Outbox {
  #entries: OutboxEntry[];
  #busy = new Set<string>();
  #isOpen = false;

  constructor(
    private readonly store: OutboxStore,
    private readonly send: Send,
    private readonly sent: (entry: OutboxEntry, reply: Replies["message.send"]) => void,
    private readonly changed: (conversationId: string) => void,
  ) {
    this.#entries = store.load();
  }

  entriesOf(conversationId: string): OutboxEntry[] {
    return this.#entries.filter((entry) => entry.conversationId === conversationId);
  }

  get size(): number {
    return this.#entries.length;
  }

  add(entry: OutboxEntry): void {
    this.#entries.push(entry);
    this.#changed(entry.conversationId);
    this.#pump(entry.conversationId);
  }

  /** Sends a refused entry once more. */
  retry(clientMessageId: string): void {
    const entry = this.#entries.find((one) => one.clientMessageId === clientMessageId);
    if (!entry) return;
    delete entry.error;
    this.#changed(entry.conversationId);
    this.#pump(entry.conversationId);
  }

  remove(clientMessageId: string): void {
    const entry = this.#entries.find((one) => one.clientMessageId === clientMessageId);
    if (!entry) return;
    this.#entries = this.#entries.filter((one) => one !== entry);
    this.#changed(entry.conversationId);
  }

  /** Drops the entry of a message that the server turned out to have. */
  confirm(message: Message): void {
    this.remove(message.clientMessageId);
  }

  /** Starts or stops sending, as the connection comes and goes. */
  setOpen(isOpen: boolean): void {
    this.#isOpen = isOpen;
    if (isOpen) for (const entry of this.#entries) this.#pump(entry.conversationId);
  }

  clear(): void {
    this.#entries = [];
    this.store.save([]);
  }

  #pump(conversationId: string): void {
    if (this.#isOpen && !this.#busy.has(conversationId)) void this.#drain(conversationId);
  }

  async #drain(conversationId: string): Promise<void> {
    this.#busy.add(conversationId);
    let failures = 0;
    let entry: OutboxEntry | undefined;
    while (this.#isOpen && (entry = this.entriesOf(conversationId).find((one) => one.error === undefined))) {
      try {
        const reply = await this.send(entry);
        failures = 0;
        this.remove(entry.clientMessageId);
        this.sent(entry, reply);
      } catch (error) {
        if (error instanceof ParleyError && !error.isTemporary && error.code !== "CANCELLED") {
          entry.error = error.reason || error.code;
          this.#changed(conversationId);
        } else {
          const longest = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** failures++);
          const hint = error instanceof ParleyError ? error.retryAfterMs : undefined;
          await new Promise((wake) => setTimeout(wake, hint ?? longest * (0.5 + Math.random() / 2)));
        }
      }
    }
    this.#busy.delete(conversationId);
  }

  #changed(conversationId: string): void {
    this.store.save(this.#entries);
    this.changed(conversationId);
  }
}
