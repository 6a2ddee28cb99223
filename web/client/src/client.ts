// The client: a replica of what the user sees, kept complete across reconnects.
import { Connection, type Op, type Status } from "./connection.js";
import type { Conversation, Message, Presence, Replies, Requests, User } from "./contract.js";
import { Outbox, type OutboxEntry, type OutboxStore } from "./outbox.js";
import { People } from "./people.js";
import { ParleyError, type ServerEvent, type SessionReady } from "./protocol.js";
import type { TokenSource } from "./session.js";
import { Thread } from "./thread.js";

/** What changed; `message` is a new message of somebody else that has just arrived, not one of a catch-up. */
export type Change =
  | { type: "status"; status: Status }
  | { type: "session" | "conversations" | "users" | "presence" | "typing" }
  | { type: "thread"; conversationId: string }
  | { type: "message"; message: Message };

export interface ClientOptions {
  /** The origin of the gateway, such as https://chat.example.com. */
  url: string;
  tokens: TokenSource;
  outbox?: OutboxStore;
}

export interface Draft {
  text: string;
  replyTo?: string;
  mentions?: string[];
}

const PAGE_SIZE = 50;
const SYNC_PAGE_SIZE = 200;
const LIST_PAGE_SIZE = 100;
const MARGIN_MS = 60_000;
const GAP_GRACE_MS = 500;
const RECEIPT_MS = 1_000;

export class ParleyClient {
  readonly conversations = new Map<string, Conversation>();
  readonly threads = new Map<string, Thread>();
  readonly users: ReadonlyMap<string, User>;
  readonly presence: ReadonlyMap<string, Presence>;
  /** Who is typing, by conversation. */
  readonly typing: ReadonlyMap<string, ReadonlySet<string>>;
  readonly outbox: Outbox;
  session: SessionReady | null = null;

  readonly #connection: Connection;
  readonly #people: People;
  #listeners = new Set<(change: Change) => void>();
  #reads = new Map<string, { seq: number; timer: ReturnType<typeof setTimeout> | null }>();
  #syncing = new Map<string, Promise<void>>();
  #listedAt: number | null = null;

  constructor(options: ClientOptions) {
    this.#connection = new Connection(options.url, options.tokens, {
      status: (status) => this.#statusChanged(status),
      ready: (session) => void this.#becomeReady(session),
      event: (event) => this.#apply(event),
    });
    this.#people = new People(
      (op, body) => this.call(op, body),
      (type) => this.#emit({ type }),
    );
    this.users = this.#people.users;
    this.presence = this.#people.presence;
    this.typing = this.#people.typing;
    const store = options.outbox ?? { load: () => [], save: () => undefined };
    this.outbox = new Outbox(
      store,
      ({ error: _, createTime: __, ...body }) => this.call("message.send", body),
      (entry, reply) => this.#sent(entry, reply),
      (conversationId) => this.#emit({ type: "thread", conversationId }),
    );
  }

  get status(): Status {
    return this.#connection.status;
  }

  get userId(): string {
    return this.session?.user.userId ?? "";
  }

  /** Calls `listener` after each change; returns what ends that. */
  subscribe(listener: (change: Change) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  start(): void {
    this.#connection.start();
  }

  stop(): void {
    this.outbox.setOpen(false);
    this.#connection.stop();
  }

  /** To be called when the network, the page or the machine comes back. */
  wake(): void {
    this.#connection.wake();
  }

  /** Makes any request of the contract. */
  call<O extends Op>(op: O, body: Requests[O]): Promise<Replies[O]> {
    return this.#connection.call(op, body);
  }

  // Conversations.

  async openDirect(userId: string): Promise<Conversation> {
    return this.#adopt((await this.call("conversation.direct", { userId })).conversation);
  }

  async createGroup(name: string, memberIds: string[]): Promise<Conversation> {
    return this.#adopt((await this.call("conversation.create", { kind: "group", name, memberIds })).conversation);
  }

  async updateConversation(body: Requests["conversation.update"]): Promise<Conversation> {
    return this.#adopt((await this.call("conversation.update", body)).conversation);
  }

  async fetchConversation(conversationId: string): Promise<Conversation> {
    return this.#adopt((await this.call("conversation.get", { conversationId })).conversation);
  }

  /** Lists archived conversations too. */
  async loadArchived(): Promise<void> {
    const { conversations } = await this.call("conversation.list", { archived: true, pageSize: LIST_PAGE_SIZE });
    for (const conversation of conversations) this.#adopt(conversation);
  }

  // Messages.

  /** Loads the end of a conversation. */
  async openThread(conversationId: string): Promise<Thread> {
    const thread = this.threads.get(conversationId) ?? new Thread(conversationId);
    this.threads.set(conversationId, thread);
    if (thread.isLoaded) return thread;
    // The rev is read before the messages: what happens between the two is applied twice, and not missed.
    const { rev } = await this.fetchConversation(conversationId);
    const page = await this.call("message.list", { conversationId, pageSize: PAGE_SIZE });
    thread.apply(page.messages);
    thread.hasOlder = page.hasMore;
    thread.rev = Math.max(thread.rev, rev);
    thread.isLoaded = true;
    for (const message of page.messages) if (message.senderId === this.userId) this.outbox.confirm(message);
    this.#emit({ type: "thread", conversationId });
    return thread;
  }

  async loadOlder(conversationId: string): Promise<void> {
    const thread = this.threads.get(conversationId);
    if (!thread?.isLoaded || !thread.hasOlder) return;
    const body = { conversationId, beforeSeq: thread.firstSeq, pageSize: PAGE_SIZE };
    const page = await this.call("message.list", body);
    thread.apply(page.messages, true);
    thread.hasOlder = page.hasMore;
    this.#emit({ type: "thread", conversationId });
  }

  /** Queues a message; it is sent once, as soon as it can be. */
  send(conversationId: string, draft: Draft): OutboxEntry {
    const entry = {
      ...draft,
      conversationId,
      clientMessageId: crypto.randomUUID(),
      createTime: new Date().toISOString(),
    };
    this.outbox.add(entry);
    return entry;
  }

  /** Makes a change that answers with the message: an edit, a deletion, a reaction, a pin. */
  async change(
    op: "message.edit" | "message.delete" | "message.react" | "message.unreact" | "message.pin" | "message.unpin",
    body: Requests["message.delete"] & { text?: string; emoji?: string },
  ): Promise<void> {
    const { message } = await this.call(op, body as never);
    this.#applyMessages([message]);
  }

  async forward(message: Message, toConversationIds: string[]): Promise<void> {
    const { conversationId, messageId } = message;
    const body = { conversationId, messageId, toConversationIds, clientMessageId: crypto.randomUUID() };
    this.#applyMessages((await this.call("message.forward", body)).messages);
  }

  /** Marks everything up to a message as read; sends at most one receipt a second. */
  markRead(conversationId: string, seq: number): void {
    const conversation = this.conversations.get(conversationId);
    if (!conversation || seq <= conversation.readSeq) return;
    this.#put({ ...conversation, readSeq: seq, unreadCount: Math.max(0, conversation.seq - seq) });
    const read = this.#reads.get(conversationId) ?? { seq, timer: null };
    read.seq = seq;
    read.timer ??= setTimeout(() => {
      this.#reads.delete(conversationId);
      this.call("receipt.read", { conversationId, seq: read.seq }).catch(() => this.#reads.set(conversationId, { ...read, timer: null }));
    }, RECEIPT_MS);
    this.#reads.set(conversationId, read);
  }

  setTyping(conversationId: string, active: boolean): void {
    if (this.status === "online") this.call("typing.set", { conversationId, active }).catch(() => undefined);
  }

  // People.

  /** Returns a user, and fetches one who is not known yet. */
  user(userId: string): User | undefined {
    return this.#people.user(userId);
  }

  searchUsers(query: string): Promise<User[]> {
    return this.#people.search(query);
  }

  // The connection.

  #statusChanged(status: Status): void {
    if (status !== "online") {
      this.outbox.setOpen(false);
      this.#people.forgetTyping();
    }
    this.#emit({ type: "status", status });
  }

  async #becomeReady(session: SessionReady): Promise<void> {
    this.session = session;
    this.#emit({ type: "session" });
    this.outbox.setOpen(true);
    try {
      await this.#catchUp(Date.parse(session.serverTime));
      for (const [conversationId, read] of this.#reads) {
        if (read.timer === null) await this.call("receipt.read", { conversationId, seq: read.seq });
      }
      await this.#people.refreshPresence();
    } catch (error) {
      // A lost connection starts over; anything else is tried again.
      if (this.status === "online") setTimeout(() => this.session === session && void this.#becomeReady(session), 2000);
      if (!(error instanceof ParleyError)) throw error;
    }
  }

  async #catchUp(now: number): Promise<void> {
    const since = this.#listedAt;
    let pageToken: string | undefined;
    do {
      const page: Replies["conversation.list"] = await this.call("conversation.list", {
        pageSize: LIST_PAGE_SIZE,
        ...(since === null ? {} : { updatedAfter: new Date(since).toISOString() }),
        ...(pageToken ? { pageToken } : {}),
      });
      for (const conversation of page.conversations) this.#put(conversation);
      pageToken = page.nextPageToken;
    } while (pageToken);
    this.#listedAt = now - MARGIN_MS;
    this.#emit({ type: "conversations" });
    for (const thread of this.threads.values()) {
      if (!thread.isLoaded) void this.openThread(thread.conversationId).catch(() => undefined);
      else if ((this.conversations.get(thread.conversationId)?.rev ?? 0) > thread.rev) await this.#sync(thread);
    }
  }

  /** Fetches the changes after a thread's rev; one sync of a thread at a time. */
  #sync(thread: Thread): Promise<void> {
    const { conversationId } = thread;
    let sync = this.#syncing.get(conversationId);
    if (!sync) {
      sync = this.#syncOnce(thread).finally(() => this.#syncing.delete(conversationId));
      this.#syncing.set(conversationId, sync);
    }
    return sync;
  }

  async #syncOnce(thread: Thread): Promise<void> {
    const { conversationId } = thread;
    let hasMore = true;
    while (hasMore) {
      const body = { conversationId, afterRev: thread.rev, pageSize: SYNC_PAGE_SIZE };
      const page = await this.call("message.sync", body);
      thread.apply(page.messages);
      for (const message of page.messages) if (message.senderId === this.userId) this.outbox.confirm(message);
      const last = page.messages.at(-1)?.rev ?? 0;
      thread.rev = Math.max(thread.rev, page.hasMore ? last : page.conversation.rev);
      hasMore = page.hasMore && page.messages.length > 0;
      this.#put(page.conversation);
      this.#emit({ type: "thread", conversationId });
    }
  }

  // Events.

  #apply(event: ServerEvent): void {
    switch (event.event) {
      case "message.created":
        this.#applyMessages([event.body.message]);
        this.#people.stopTyping(event.body.message.conversationId, event.body.message.senderId);
        if (event.body.message.senderId !== this.userId) this.#emit({ type: "message", message: event.body.message });
        break;
      case "message.updated":
      case "message.deleted":
        this.#applyMessages([event.body.message]);
        break;
      case "conversation.created":
      case "conversation.updated":
        this.#adopt(event.body.conversation);
        break;
      case "member.added":
      case "member.updated":
      case "member.removed":
        this.#memberChanged(event.event === "member.removed", event.body);
        break;
      case "receipt.updated":
        this.#receipt(event.body);
        break;
      case "typing.updated":
        if (event.body.userId !== this.userId) this.#people.typingUpdated(event.body);
        break;
      case "presence.updated":
        this.#people.presenceUpdated(event.body);
        break;
    }
  }

  #applyMessages(messages: readonly Message[]): void {
    for (const message of messages) {
      if (message.senderId === this.userId) this.outbox.confirm(message);
      const conversation = this.conversations.get(message.conversationId);
      if (conversation) this.#summarize(conversation, message);
      else void this.fetchConversation(message.conversationId).catch(() => undefined);
      this.threads.get(message.conversationId)?.apply([message]);
      this.#observe(message.conversationId, message.rev);
      this.#emit({ type: "thread", conversationId: message.conversationId });
    }
  }

  #summarize(conversation: Conversation, message: Message): void {
    const isNew = message.seq > conversation.seq;
    const isLast = message.seq >= (conversation.lastMessage?.seq ?? 0);
    const seq = Math.max(conversation.seq, message.seq);
    const isRead = isNew && message.senderId === this.userId;
    const readSeq = isRead ? Math.max(conversation.readSeq, message.seq) : conversation.readSeq;
    this.#put({
      ...conversation,
      seq,
      readSeq,
      rev: Math.max(conversation.rev, message.rev),
      unreadCount: Math.max(0, seq - readSeq),
      ...(isLast ? { lastMessage: message } : {}),
      ...(isNew ? { lastActivityTime: message.createTime, archived: false } : {}),
    });
  }

  /** Notes a change's rev; if changes before it do not arrive within the grace period, fetches them. */
  #observe(conversationId: string, rev: number): void {
    const thread = this.threads.get(conversationId);
    if (!thread?.isLoaded || !thread.observe(rev)) return;
    setTimeout(() => {
      if (thread.rev < rev && this.status === "online") void this.#sync(thread).catch(() => undefined);
    }, GAP_GRACE_MS);
  }

  #memberChanged(isRemoved: boolean, body: { conversationId: string; member: { userId: string }; rev: number }): void {
    const { conversationId } = body;
    if (isRemoved && body.member.userId === this.userId) {
      this.conversations.delete(conversationId);
      this.threads.delete(conversationId);
      this.#emit({ type: "conversations" });
      return;
    }
    this.#observe(conversationId, body.rev);
    void this.fetchConversation(conversationId).catch(() => undefined);
  }

  #receipt(body: { conversationId: string; userId: string; readSeq: number; deliveredSeq: number }): void {
    const conversation = this.conversations.get(body.conversationId);
    if (!conversation) return;
    const changed = { ...conversation };
    if (body.userId === this.userId && body.readSeq > conversation.readSeq) {
      changed.readSeq = body.readSeq;
      changed.unreadCount = Math.max(0, conversation.seq - body.readSeq);
    }
    if (conversation.members) {
      changed.members = conversation.members.map((member) =>
        member.userId === body.userId
          ? {
              ...member,
              readSeq: Math.max(member.readSeq, body.readSeq),
              deliveredSeq: Math.max(member.deliveredSeq, body.deliveredSeq),
            }
          : member,
      );
    }
    this.#put(changed);
  }

  #sent(entry: OutboxEntry, reply: Replies["message.send"]): void {
    const { error: _, ...sent } = entry;
    this.#applyMessages([{ ...sent, ...reply, kind: "text", senderId: this.userId }]);
  }

  /** Takes the server's view of a conversation. */
  #adopt(conversation: Conversation): Conversation {
    this.#observe(conversation.conversationId, conversation.rev);
    return this.#put(conversation);
  }

  #put(conversation: Conversation): Conversation {
    const known = this.conversations.get(conversation.conversationId);
    const members = conversation.members ?? known?.members;
    const readSeq = Math.max(conversation.readSeq, known?.readSeq ?? 0);
    const unreadCount = Math.max(0, conversation.seq - readSeq);
    const kept = { ...conversation, readSeq, unreadCount, ...(members ? { members } : {}) };
    this.conversations.set(conversation.conversationId, kept);
    this.#emit({ type: "conversations" });
    return kept;
  }

  #emit(change: Change): void {
    for (const listener of this.#listeners) listener(change);
  }
}
