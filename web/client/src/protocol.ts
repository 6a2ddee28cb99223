// The frames of `parley.v1.json` that are not in the contract's ops: errors, events and the session.
import type { Conversation, Member, Message, Notification, Presence, Time, User } from "./contract.js";

/** A request that failed: `code` is a canonical gRPC code, `reason` is stable and UPPER_SNAKE. */
export class ParleyError extends Error {
  readonly code: string;
  readonly reason: string;
  readonly retryAfterMs: number | undefined;
  readonly fields: Record<string, string>;

  constructor(error: ErrorObject) {
    super(error.message || error.reason || error.code);
    this.name = "ParleyError";
    this.code = error.code;
    this.reason = error.reason ?? "";
    this.retryAfterMs = error.retryAfterMs;
    this.fields = error.fields ?? {};
  }

  /** Whether the same request can succeed later. */
  get isTemporary(): boolean {
    return TEMPORARY.has(this.code);
  }
}

const TEMPORARY = new Set(["UNAVAILABLE", "RESOURCE_EXHAUSTED", "DEADLINE_EXCEEDED", "ABORTED"]);

export interface ErrorObject {
  code: string;
  reason?: string;
  message?: string;
  retryAfterMs?: number;
  fields?: Record<string, string>;
}

/** The body of `session.ready`. */
export interface SessionReady {
  sessionId: string;
  user: User;
  serverTime: Time;
  expireTime: Time;
  limits: { frameBytes: number; textBytes: number; messagesPerSecond: number };
  features?: string[];
}

/** The body of each event. */
export interface Events {
  "session.ready": SessionReady;
  "session.closing": { reconnectAfterMs: number };
  "message.created": { message: Message };
  "message.updated": { message: Message };
  "message.deleted": { message: Message };
  "conversation.created": { conversation: Conversation };
  "conversation.updated": { conversation: Conversation };
  "member.added": { conversationId: string; member: Member; rev: number };
  "member.removed": { conversationId: string; member: Member; rev: number };
  "member.updated": { conversationId: string; member: Member; rev: number };
  "receipt.updated": { conversationId: string; userId: string; readSeq: number; deliveredSeq: number };
  "typing.updated": { conversationId: string; userId: string; active: boolean };
  "presence.updated": Presence;
  "notification.created": { notification: Notification; unreadCount: number };
  "notification.updated": { notification?: Notification; unreadCount: number };
}

/** An event, told from others by its name. */
export type ServerEvent = { [Name in keyof Events]: { event: Name; body: Events[Name] } }[keyof Events];

/** Returns the subprotocols of the upgrade; the token travels in one of them, never in the URL. */
export function subprotocols(accessToken: string): string[] {
  const binary = String.fromCharCode(...new TextEncoder().encode(accessToken));
  const token = btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  return ["parley.v1.json", `base64url.bearer.authorization.parley.${token}`];
}
