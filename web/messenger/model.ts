// The signed-in client, and where in the app the user is.
import { signal } from "@preact/signals";
import { type Conversation, type Message, type OutboxEntry, ParleyClient, ParleyError, Session } from "../client/src/index.js";
import { say, stored } from "./preferences.js";

export const session = new Session(location.origin, {
  load: () => stored.get("refresh"),
  save: (token) => stored.set("refresh", token),
  exclusive: (action) => (navigator.locks ? navigator.locks.request("parley.refresh", action) : action()),
});

/** Counts changes of the client; a component that reads it, by `follow`, is drawn again after each. */
export const version = signal(0);

/** Draws the calling component again after each change of the client. */
export function follow(): number {
  return version.value;
}

export const client = signal<ParleyClient | null>(null);
/** The id of the conversation that is open, from the address. */
export const openId = signal(idInAddress());
/** The latest problem to tell the user about. */
export const notice = signal("");

let pending = false;
function changed(): void {
  if (pending) return;
  pending = true;
  queueMicrotask(() => {
    pending = false;
    version.value += 1;
    const unread = [...(client.value?.conversations.values() ?? [])].filter((one) => one.unreadCount > 0 && !one.archived);
    document.title = unread.length ? `(${unread.length}) Parley` : "Parley";
  });
}

export async function signIn(email: string, password: string): Promise<void> {
  const user = await session.signIn(email, password);
  stored.set("user", user.userId);
  begin();
}

/** Starts the client of a session that is at hand. */
export function begin(): void {
  if (!session.isSignedIn) return;
  const parley = new ParleyClient({ url: location.origin, tokens: session, outbox: outboxStore(stored.get("user") ?? "") });
  parley.subscribe((change) => {
    if (change.type === "status" && change.status === "signed-out") leave();
    else changed();
  });
  client.value = parley;
  parley.start();
}

export async function signOut(): Promise<void> {
  for (const key of [...stored.keys("draft."), ...stored.keys("outbox.")]) stored.set(key, null);
  const ending = session.signOut();
  leave();
  await ending;
}

function leave(): void {
  session.forget();
  client.value?.stop();
  client.value = null;
}

/** Each tab keeps its outbox under a key of its own, and takes over what closed tabs left. */
function outboxStore(userId: string) {
  const prefix = `outbox.${userId}.`;
  const own = prefix + crypto.randomUUID();
  return {
    load(): OutboxEntry[] {
      return stored.keys(prefix).flatMap((key) => {
        const entries = JSON.parse(stored.get(key) ?? "[]") as OutboxEntry[];
        stored.set(key, null);
        return entries;
      });
    },
    save: (entries: readonly OutboxEntry[]) => stored.set(own, entries.length ? JSON.stringify(entries) : null),
  };
}

export function go(conversationId: string): void {
  if (conversationId === openId.value) return;
  history.pushState(null, "", conversationId ? `/chat/${conversationId}` : "/chat");
  openId.value = conversationId;
}

addEventListener("popstate", () => {
  openId.value = idInAddress();
});
addEventListener("online", () => client.value?.wake());
document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && client.value?.wake());

function idInAddress(): string {
  return /^\/chat\/([\w-]+)$/.exec(location.pathname)?.[1] ?? "";
}

/** Does something that may be refused, and says so if it is. */
export async function attempt<T>(action: Promise<T>): Promise<T | undefined> {
  try {
    return await action;
  } catch (error) {
    if (!(error instanceof ParleyError)) throw error;
    notice.value = say("failed", { reason: error.message });
    return undefined;
  }
}

export function titleOf(parley: ParleyClient, conversation: Conversation): string {
  if (conversation.kind !== "direct") return conversation.name ?? "";
  return nameOf(parley, peerOf(parley, conversation));
}

export function nameOf(parley: ParleyClient, userId: string): string {
  follow();
  return parley.user(userId)?.name ?? userId;
}

/** The other user of a direct conversation. */
export function peerOf(parley: ParleyClient, conversation: Conversation): string {
  if (conversation.kind !== "direct") return "";
  return conversation.members?.find((member) => member.userId !== parley.userId)?.userId ?? "";
}

export function isMuted(conversation: Conversation): boolean {
  return conversation.mutedUntil !== undefined && Date.parse(conversation.mutedUntil) > Date.now();
}

export function summary(message: Message): string {
  if (message.deleteTime) return say("deleted");
  return message.text || message.attachments?.[0]?.name || say("attachment");
}
