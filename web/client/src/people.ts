// The people whom the user sees: names, presence, and who is typing where.
import type { Op } from "./connection.js";
import type { Presence, Replies, Requests, User } from "./contract.js";

const USERS_PER_CALL = 100;
const GATHER_MS = 10;
const TYPING_ENDS_MS = 6_000;

type Call = <O extends Op>(op: O, body: Requests[O]) => Promise<Replies[O]>;

export class People {
  readonly users = new Map<string, User>();
  readonly presence = new Map<string, Presence>();
  readonly typing = new Map<string, Set<string>>();

  readonly #call: Call;
  readonly #changed: (what: "users" | "presence" | "typing") => void;
  readonly #typingTimers = new Map<string, ReturnType<typeof setTimeout>>();
  readonly #wanted = new Set<string>();

  constructor(call: Call, changed: (what: "users" | "presence" | "typing") => void) {
    this.#call = call;
    this.#changed = changed;
  }

  /** Returns a user, and fetches one who is not known yet. */
  user(userId: string): User | undefined {
    const user = this.users.get(userId);
    if (!user && userId && !this.#wanted.has(userId)) {
      if (this.#wanted.size === 0) setTimeout(() => void this.#fetch(), GATHER_MS);
      this.#wanted.add(userId);
    }
    return user;
  }

  async search(query: string): Promise<User[]> {
    const { users } = await this.#call("user.search", { query, pageSize: 20 });
    for (const user of users) this.users.set(user.userId, user);
    return users;
  }

  /** Fetches the presence of everybody whose presence is known: it may have changed while offline. */
  async refreshPresence(): Promise<void> {
    const known = [...this.presence.keys()];
    for (let start = 0; start < known.length; start += USERS_PER_CALL) {
      const { presences } = await this.#call("presence.get", { userIds: known.slice(start, start + USERS_PER_CALL) });
      for (const presence of presences) this.presence.set(presence.userId, presence);
    }
    if (known.length > 0) this.#changed("presence");
  }

  presenceUpdated(presence: Presence): void {
    this.presence.set(presence.userId, presence);
    this.#changed("presence");
  }

  typingUpdated({ conversationId, userId, active }: { conversationId: string; userId: string; active: boolean }): void {
    if (!active) return this.stopTyping(conversationId, userId);
    const key = `${conversationId} ${userId}`;
    clearTimeout(this.#typingTimers.get(key));
    this.#typingTimers.set(key, setTimeout(() => this.stopTyping(conversationId, userId), TYPING_ENDS_MS));
    this.typing.set(conversationId, new Set(this.typing.get(conversationId)).add(userId));
    this.#changed("typing");
  }

  stopTyping(conversationId: string, userId: string): void {
    const typing = new Set(this.typing.get(conversationId));
    if (!typing.delete(userId)) return;
    this.typing.set(conversationId, typing);
    this.#changed("typing");
  }

  /** Forgets who is typing: nobody tells once the connection is lost. */
  forgetTyping(): void {
    this.typing.clear();
  }

  async #fetch(): Promise<void> {
    const userIds = [...this.#wanted].slice(0, USERS_PER_CALL);
    try {
      const [{ users }, { presences }] = await Promise.all([
        this.#call("user.batchGet", { userIds }),
        this.#call("presence.get", { userIds }),
      ]);
      for (const user of users) this.users.set(user.userId, user);
      for (const presence of presences) this.presence.set(presence.userId, presence);
    } catch {
      // They are wanted again when they are next shown.
    }
    for (const userId of userIds) this.#wanted.delete(userId);
    if (this.#wanted.size > 0) void this.#fetch();
    this.#changed("users");
    this.#changed("presence");
  }
}
