// The loaded end of a conversation: its messages by seq, and the rev up to which every change is known.
import type { Message } from "./contract.js";

export class Thread {
  messages: readonly Message[] = [];
  /** Every change up to this rev has been applied. */
  rev = 0;
  /** Whether there are messages before the first one. */
  hasOlder = true;
  isLoaded = false;

  constructor(readonly conversationId: string) {}

  get firstSeq(): number {
    return this.messages[0]?.seq ?? Number.MAX_SAFE_INTEGER;
  }

  find(messageId: string): Message | undefined {
    return this.messages.find((message) => message.messageId === messageId);
  }

  /** Adds or replaces messages, of which the later rev wins; changes of messages that are not loaded are left out. */
  apply(changed: readonly Message[], isOlderPage = false): void {
    const merged = new Map(this.messages.map((message) => [message.seq, message]));
    const floor = this.hasOlder && this.isLoaded && !isOlderPage ? this.firstSeq : 0;
    for (const message of changed) {
      const known = merged.get(message.seq);
      if (message.seq >= floor && (!known || known.rev <= message.rev)) merged.set(message.seq, message);
    }
    this.messages = [...merged.values()].sort((a, b) => a.seq - b.seq);
  }

  /** Takes note of a change's rev; returns whether changes before it are missing. */
  observe(rev: number): boolean {
    if (rev === this.rev + 1) this.rev = rev;
    return rev > this.rev;
  }
}
