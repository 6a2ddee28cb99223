// Generated from protos/ by `make reference`; do not edit.

/** An RFC 3339 time with milliseconds, such as "2026-01-31T12:00:00.000Z". */
export type Time = string;

/** A user's role in the organization, which decides whom the user may contact; see CheckContacts. */
export type Role = "admin" | "manager" | "lead" | "sales" | "employee" | "client" | "agent_l1" | "agent_l2" | "agent_l3" | "bot";

/**
 * A user to create or to change. The service checks each row by itself, so that a bad one fails alone; the limits are
 * those of User.
 */
export interface UserRow {
  /** The user's id. */
  userId: string;
  /** The name shown to others. */
  name: string;
  /** The e-mail address that the user signs in with; empty for none. */
  email: string;
  /** The user's role: admin, manager, lead, sales, employee, client, agent_l1, agent_l2, agent_l3 or bot. */
  role: string;
  /** Names of the user's teams. */
  teams: string[];
  /** The https URL of a picture; empty for none. */
  avatarUrl: string;
  /** Whether the account is disabled. */
  disabled: boolean;
}

/** The kind of a conversation. */
export type ConversationKind = "direct" | "group" | "project";

/** The role of a member, which decides what the member may do in a conversation. */
export type MemberRole = "owner" | "admin" | "member";

/** A reference to content outside the message. */
export interface Attachment {
  /** The http or https URL of the content: at most 2,000 characters. */
  url: string;
  /** The file's name: at most 200 characters; may be empty. */
  name?: string;
  /** The media type: at most 100 characters; may be empty. */
  contentType?: string;
  /** The size in bytes; 0 if unknown. */
  sizeBytes?: number;
}

/** The subject of a notification. */
export type NotificationType = "NEW_MESSAGE" | "LEAD_ASSIGNED" | "LEAD_STATUS_CHANGED" | "LEAD_UPDATED" | "SYSTEM_ALERT" | "TASK_ASSIGNED" | "REMINDER" | "MENTION" | "MEMBER_ADDED";

/** A status that a user chooses. */
export type ChosenStatus = "online" | "away" | "dnd" | "invisible";

/** A person or bot of one organization. */
export interface User {
  /** The user's id, unique within the organization; it may be the CRM's own. 1 to 64 of `A-Za-z0-9_.:@-`. */
  userId: string;
  /** The name shown to others: 1 to 100 characters on one line, without surrounding white space. */
  name: string;
  /** The user's role in the organization; never unspecified in a response. */
  role: Role | (string & {});
  /**
   * Names of the user's teams: at most 50, each 1 to 64 characters, together at most 2,000 bytes as JSON, because every
   * access token holds them.
   */
  teams: string[];
  /** The https URL of a picture: at most 2,000 characters, empty for none. */
  avatarUrl?: string;
}

/** The result of a row. */
export interface UserRowResult {
  /** The user's id, as in the row. */
  userId: string;
  /** What became of the row. */
  outcome: UpsertOutcome | (string & {});
  /** Why the row failed, in upper case with underscores, such as EMAIL_TAKEN; empty unless it failed. */
  reason?: string;
  /** The same in a sentence. */
  message?: string;
  /** The bad fields, if the reason is INVALID_FIELDS. */
  errors?: UserRowError[];
}

/** What became of a row of BatchUpsertUsers. */
export type UpsertOutcome = "created" | "updated" | "unchanged" | "failed";

/** What is wrong with a field of a row. */
export interface UserRowError {
  /** The field, as in JSON. */
  field: string;
  /** What it must be. */
  description: string;
}

/**
 * A conversation as one of its members, the viewer, sees it. A member_count of 0 is a conversation that the viewer has
 * left or was removed from: the response to a repeat of one of the viewer's earlier requests. Only its ids
 * (conversation_id, kind, external_ref and created_by), and the rev and seq of that request's change, are meaningful;
 * every other field, such as last_activity_time, has no meaning.
 */
export interface Conversation {
  /** The conversation's id: 22 characters of base64url. */
  conversationId: string;
  /** The conversation's kind; never changes. */
  kind: ConversationKind | (string & {});
  /** The name: 1 to 200 characters; empty for a direct conversation. */
  name?: string;
  /** The description: at most 2,000 characters. */
  description?: string;
  /** A reference that the creator chose, such as a ticket number: at most 200 characters. */
  externalRef?: string;
  /** The id of the user who created the conversation. */
  createdBy: string;
  /** The seq of the latest message; 0 before the first one. */
  seq: number;
  /** The rev of the latest change. */
  rev: number;
  /** The latest message; absent before the first one. */
  lastMessage?: Message;
  /** The time of the latest message, or of the creation before the first one. Listings are in this order. */
  lastActivityTime: Time;
  /** Whether the conversation is archived, for all members. Messages can still be sent. */
  archived: boolean;
  /** Tags, the same for all members: at most 20, each 1 to 50 characters. */
  tags: string[];
  /** All members, if there are at most 200; otherwise empty, see ListMembers. */
  members?: Member[];
  /** The number of members. */
  memberCount: number;
  /** The viewer's read mark; see Member.read_seq. */
  readSeq: number;
  /** The number of messages that the viewer has not read: seq - read_seq. */
  unreadCount: number;
  /** The time until which the viewer gets no notifications of this conversation; absent if not muted. */
  mutedUntil?: Time;
  /** Whether the viewer has pinned the conversation in their own list. */
  pinned?: boolean;
}

/** A message. A deleted message is a tombstone: it keeps its ids, seq, kind, sender and times, and nothing else. */
export interface Message {
  /**
   * The message's id: 22 characters of base64url, derived from the organization, conversation, sender and
   * client_message_id.
   */
  messageId: string;
  /** The id of the message's conversation. */
  conversationId: string;
  /** The position in the conversation: 1, 2, 3, ... without gaps; never changes. */
  seq: number;
  /** The conversation's rev at the message's latest change. */
  rev: number;
  /** The id of the user who sent the message. */
  senderId: string;
  /** The id that the sender's client chose. */
  clientMessageId: string;
  /** The kind of the content. */
  kind: MessageKind | (string & {});
  /** The text: at most 16 KiB of UTF-8. */
  text: string;
  /** The attachments, at most 20. */
  attachments?: Attachment[];
  /** The id of the message that this one answers, of the same conversation; empty for none. */
  replyTo?: string;
  /** The ids of the mentioned users, at most 50. */
  mentions?: string[];
  /** The time at which the message was sent; never decreases with seq. */
  createTime: Time;
  /** The time of the latest edit; absent if there was none. */
  editTime?: Time;
  /** The time of the deletion; absent if the message is not deleted. */
  deleteTime?: Time;
  /** The reactions by emoji, in the order in which the emoji were first used; at most 20 emoji and 1,000 reactions. */
  reactions?: Record<string, string[]>;
  /**
   * What the kind needs: {latitude, longitude, name?} of a location, {name, phones?, emails?} of a contact, {pack?,
   * emoji?} of a sticker; absent for others.
   */
  data?: Record<string, unknown>;
  /** Whether the message is pinned, for all members. */
  pinned?: boolean;
  /** The message that this one is a copy of; absent unless it was forwarded. */
  forwardedFrom?: ForwardedFrom;
}

/** The kind of a message's content. */
export type MessageKind = "text" | "image" | "file" | "audio" | "link" | "system" | "video" | "location" | "contact" | "sticker";

/** The message that a forwarded message is a copy of. */
export interface ForwardedFrom {
  /** The id of the first message's conversation. */
  conversationId?: string;
  /** The id of the first message. */
  messageId?: string;
  /** The id of the user who wrote it. */
  senderId: string;
}

/** A member of a conversation. */
export interface Member {
  /** The user's id. */
  userId: string;
  /** The member's role in the conversation. */
  role: MemberRole | (string & {});
  /** The member has read all messages up to this seq; never decreases. */
  readSeq: number;
  /** All messages up to this seq have reached one of the user's devices; never decreases, and is at least read_seq. */
  deliveredSeq: number;
}

/** What a user has written in a conversation and not sent. */
export interface MessageDraft {
  /** The conversation's id. */
  conversationId: string;
  /** The text; empty in the event of a removal. */
  text: string;
  /** The id of the message that the draft answers; empty for none. */
  replyTo?: string;
  /** The time of the latest change. */
  updateTime: Time;
}

/** A text that a message had, or has. */
export interface MessageVersion {
  /** The text. */
  text: string;
  /** The time at which the message got this text. */
  time: Time;
}

/**
 * What is known of a message's way to a member. Members confirm all messages up to one at once, so the times are those
 * of their latest confirmations: they received and read the message then or earlier.
 */
export interface MessageReceipt {
  /** The member's id. */
  userId: string;
  /** The message was delivered at this time at the latest; absent if the time is not known. */
  deliveredTime?: Time;
  /** The message was read at this time at the latest; absent if it was not read. */
  readTime?: Time;
}

/** A message that is sent later. */
export interface ScheduledMessage {
  /** The id, which is also the id of the message that is sent. */
  scheduledMessageId: string;
  /** The conversation's id. */
  conversationId: string;
  /** The id that the sender's client chose. */
  clientMessageId: string;
  /** The text. */
  text: string;
  /** The time at which the message is sent. */
  sendTime: Time;
}

/** A notification of one user. */
export interface Notification {
  /** The notification's id: 22 characters of base64url. */
  notificationId: string;
  /** The subject of the notification. */
  type: NotificationType | (string & {});
  /** The title: 1 to 200 characters. */
  title: string;
  /** The text: at most 2,000 characters. */
  body: string;
  /** Data for the user's front-end, such as the ids to link to: at most 8 KiB as JSON. */
  data?: Record<string, unknown>;
  /** For NEW_MESSAGE the number of unread messages of the conversation; 1 for other types. */
  count: number;
  /** Whether the user has read the notification. */
  read: boolean;
  /** The time of the latest event that the notification stands for. The JSON name is an earlier name of the field. */
  createTime: Time;
}

/** A user's preferences for notifications. */
export interface Preferences {
  /** The types of which the user gets no notifications, at most 50; none by default. */
  mutedTypes: (NotificationType | (string & {}))[];
}

/** A user's presence, as the caller sees it. */
export interface Presence {
  /** The user's id. */
  userId: string;
  /** The user's status; INVISIBLE for the caller's own only. */
  status: PresenceStatus | (string & {});
  /** A text that the user chose: at most 140 characters; empty for none. */
  text?: string;
  /**
   * The time at which the user was last active, not counting activity while invisible. Only with OFFLINE, and absent
   * for a user who was never seen.
   */
  lastSeenTime?: Time;
}

/** A user's observed presence. The values have the same numbers as in ChosenStatus. */
export type PresenceStatus = "online" | "away" | "dnd" | "invisible" | "offline";

/** The body of each op's request. */
export interface Requests {
  /** Returns the calling user. Errors: UNAUTHENTICATED (ACCOUNT_DISABLED). */
  "user.me": Record<string, never>;
  /**
   * Returns a user of the organization. Clients do not see other clients. Errors: NOT_FOUND (USER_NOT_FOUND) if the
   * user does not exist, belongs to another organization or is hidden from the caller; UNAUTHENTICATED
   * (ACCOUNT_DISABLED); PERMISSION_DENIED (ORGANIZATION_REQUIRED).
   */
  "user.get": { userId: string };
  /**
   * Returns several users, once each and in the order of the request, omitting those that GetUser would not find.
   * Errors: UNAUTHENTICATED (ACCOUNT_DISABLED); PERMISSION_DENIED (ORGANIZATION_REQUIRED).
   */
  "user.batchGet": { userIds: string[] };
  /**
   * Lists users by name, with filters. Admins, managers and services see all users, disabled ones included; others see
   * themselves and the users whom they may contact. Errors: INVALID_ARGUMENT (INVALID_PAGE_TOKEN); UNAUTHENTICATED
   * (ACCOUNT_DISABLED); PERMISSION_DENIED (ORGANIZATION_REQUIRED).
   */
  "user.list": { query?: string; role?: Role; team?: string; pageSize?: number; pageToken?: string };
  /**
   * Lists the users whom the caller may contact, by name. The caller is not among them. Errors: INVALID_ARGUMENT
   * (INVALID_PAGE_TOKEN); UNAUTHENTICATED (ACCOUNT_DISABLED).
   */
  "user.search": { query: string; pageSize?: number; pageToken?: string };
  /**
   * Creates a user. Only admins and services may do so. Errors: ALREADY_EXISTS (USER_EXISTS) if the id is taken,
   * (EMAIL_TAKEN) if an account of any organization has the address; NOT_FOUND (ORGANIZATION_NOT_FOUND);
   * RESOURCE_EXHAUSTED (OVERLOADED, with RetryInfo) if too many passwords are being hashed; UNAUTHENTICATED
   * (ACCOUNT_DISABLED); PERMISSION_DENIED (NOT_ALLOWED, ORGANIZATION_REQUIRED).
   */
  "user.create": { userId?: string; name: string; email?: string; role: Role; teams?: string[]; avatarUrl?: string; password?: string; requestId?: string };
  /**
   * Changes the given fields of a user. Admins and services may change every user; others their own name and
   * avatar_url. Disabling a user ends the user's sessions. Errors: NOT_FOUND (USER_NOT_FOUND); ALREADY_EXISTS
   * (EMAIL_TAKEN) if another account of any organization has the address; FAILED_PRECONDITION (LAST_ADMIN) if no
   * enabled admin would remain; ABORTED (CONCURRENT_CHANGES) if others keep changing the user; UNAVAILABLE
   * (REVOCATION_NOT_PUBLISHED) if the user is disabled but open connections could not be closed, so repeat the call;
   * UNAUTHENTICATED (ACCOUNT_DISABLED); PERMISSION_DENIED (NOT_ALLOWED, ORGANIZATION_REQUIRED).
   */
  "user.update": { userId: string; name?: string; email?: string; role?: Role; teams?: string[]; avatarUrl?: string; disabled?: boolean; requestId?: string };
  /**
   * Sets a user's password, and ends the user's sessions. Only admins and services may do so. Errors: NOT_FOUND
   * (USER_NOT_FOUND); RESOURCE_EXHAUSTED (OVERLOADED, with RetryInfo) if too many passwords are being hashed; ABORTED
   * (CONCURRENT_CHANGES) if others keep changing the user; UNAVAILABLE (REVOCATION_NOT_PUBLISHED) if the password is
   * set but open connections could not be closed, so repeat the call; UNAUTHENTICATED (ACCOUNT_DISABLED);
   * PERMISSION_DENIED (NOT_ALLOWED, ORGANIZATION_REQUIRED).
   */
  "user.setPassword": { userId: string; password: string; requestId?: string };
  /**
   * Disables a user, and ends the user's sessions. Only admins and services may do so; UpdateUser enables the user
   * again. Errors: NOT_FOUND (USER_NOT_FOUND); FAILED_PRECONDITION (LAST_ADMIN) if no enabled admin would remain;
   * ABORTED (CONCURRENT_CHANGES) if others keep changing the user; UNAVAILABLE (REVOCATION_NOT_PUBLISHED) if the user
   * is disabled but open connections could not be closed, so repeat the call; UNAUTHENTICATED (ACCOUNT_DISABLED);
   * PERMISSION_DENIED (NOT_ALLOWED, ORGANIZATION_REQUIRED).
   */
  "user.deactivate": { userId: string; requestId?: string };
  /**
   * Creates the users of a list that do not exist, and sets the named fields of those that do, as a sync job of the CRM
   * does. Each row succeeds or fails by itself, and its result says which. Rows may swap e-mail addresses. A field that
   * already has its value is not written: it neither ends sessions nor revokes tokens. Only admins and services may do
   * so. Errors: UNAVAILABLE (STORE_UNAVAILABLE, REVOCATION_NOT_PUBLISHED) if some rows may not be done, so repeat the
   * call; UNAUTHENTICATED (ACCOUNT_DISABLED); PERMISSION_DENIED (NOT_ALLOWED, ORGANIZATION_REQUIRED); NOT_FOUND
   * (ORGANIZATION_NOT_FOUND). Of a row: INVALID_FIELDS, DUPLICATE_ROW, EMAIL_TAKEN, LAST_ADMIN, CONCURRENT_CHANGES.
   */
  "user.batchUpsert": { users: UserRow[]; fields?: string[]; requestId?: string };
  /**
   * Returns the direct conversation with a user, and creates it if necessary. Both users and all calls get the same
   * one. Errors: INVALID_ARGUMENT (OWN_USER) if the user is the caller; if the conversation does not exist yet,
   * NOT_FOUND (USER_NOT_FOUND) and PERMISSION_DENIED (CONTACT_NOT_ALLOWED) if the caller may not contact the user;
   * UNAUTHENTICATED (ACCOUNT_DISABLED); RESOURCE_EXHAUSTED (OVERLOADED); UNAVAILABLE (SHUTTING_DOWN).
   */
  "conversation.direct": { userId: string; requestId?: string };
  /**
   * Creates a group or project with the caller as its owner. An organization has one project for each external_ref: if
   * it exists, returns it to its members unchanged. A project that all members have left passes to the caller and the
   * given members; name and history stay. The organization's administrators and managers become admins of a project
   * that has members. Errors: PERMISSION_DENIED (GROUP_CREATION_NOT_ALLOWED) if the caller's role may not create
   * groups, (CONTACT_NOT_ALLOWED) if the caller may not contact one of the members, both whether the project exists or
   * not; (NOT_A_MEMBER) if the project has members and the caller, with another role, is none of them; NOT_FOUND
   * (USER_NOT_FOUND); FAILED_PRECONDITION (TOO_MANY_MEMBERS) if the project has 5,000 members; UNAUTHENTICATED
   * (ACCOUNT_DISABLED); ABORTED (CONTENDED); RESOURCE_EXHAUSTED (OVERLOADED); UNAVAILABLE (SHUTTING_DOWN).
   */
  "conversation.create": { kind: "group" | "project"; name: string; description?: string; memberIds: string[]; externalRef?: string; requestId?: string };
  /**
   * Adds the caller to a room, and creates the room if necessary. A room is a group that its external_ref identifies in
   * the organization, and that all staff may join. The user who creates it becomes its owner. A client can enter a room
   * only as a member that another user added, and creates none. Errors: NOT_FOUND (CONVERSATION_NOT_FOUND) if the
   * caller is a client and there is no such room; PERMISSION_DENIED (NOT_A_MEMBER) if the caller is a client and not a
   * member; FAILED_PRECONDITION (TOO_MANY_MEMBERS) if the room has 5,000 members; ABORTED (CONTENDED);
   * RESOURCE_EXHAUSTED (OVERLOADED); UNAVAILABLE (SHUTTING_DOWN).
   */
  "conversation.joinRoom": { externalRef: string; name?: string; requestId?: string };
  /**
   * Returns a conversation of the caller. Errors: NOT_FOUND (CONVERSATION_NOT_FOUND); PERMISSION_DENIED (NOT_A_MEMBER).
   */
  "conversation.get": { conversationId: string };
  /** Lists the caller's conversations, latest activity first. Errors: INVALID_ARGUMENT (INVALID_PAGE_TOKEN). */
  "conversation.list": { kind?: ConversationKind; archived?: boolean; updatedAfter?: Time; pageSize?: number; pageToken?: string; externalRef?: string; kinds?: ConversationKind[] };
  /**
   * Changes the given fields of a conversation. Every member may change muted_until_time, which is the member's own.
   * The other fields require an owner or admin in a group; in a direct conversation both members may change archived
   * and tags. Errors: NOT_FOUND (CONVERSATION_NOT_FOUND); PERMISSION_DENIED (NOT_A_MEMBER), (NOT_AN_ADMIN) if the
   * caller is neither owner nor admin of the group; FAILED_PRECONDITION (DIRECT_CONVERSATION) if the name or
   * description of a direct conversation is to change; ABORTED (CONTENDED); RESOURCE_EXHAUSTED (OVERLOADED);
   * UNAVAILABLE (SHUTTING_DOWN).
   */
  "conversation.update": { conversationId: string; name?: string; description?: string; archived?: boolean; tags?: string[]; mutedUntil?: Time | null; requestId?: string };
  /**
   * Pins a conversation in the caller's own list. Pinning a pinned conversation has no effect. Errors: NOT_FOUND
   * (CONVERSATION_NOT_FOUND); PERMISSION_DENIED (NOT_A_MEMBER); ABORTED (CONTENDED); RESOURCE_EXHAUSTED (OVERLOADED);
   * UNAVAILABLE (SHUTTING_DOWN).
   */
  "conversation.pin": { conversationId: string; requestId?: string };
  /**
   * Unpins a conversation in the caller's own list. Unpinning one that is not pinned has no effect. Errors: NOT_FOUND
   * (CONVERSATION_NOT_FOUND); PERMISSION_DENIED (NOT_A_MEMBER); ABORTED (CONTENDED); RESOURCE_EXHAUSTED (OVERLOADED);
   * UNAVAILABLE (SHUTTING_DOWN).
   */
  "conversation.unpin": { conversationId: string; requestId?: string };
  /**
   * Adds users to a group. Users who are members already remain as they are. Requires an owner or admin. New members
   * see the whole history; messages sent before they joined count as read. Errors: NOT_FOUND (CONVERSATION_NOT_FOUND,
   * USER_NOT_FOUND); PERMISSION_DENIED (NOT_A_MEMBER), (NOT_AN_ADMIN), (CONTACT_NOT_ALLOWED) if the caller may not
   * contact one of the users; FAILED_PRECONDITION (DIRECT_CONVERSATION), (TOO_MANY_MEMBERS) if the group would have
   * more than 5,000; UNAUTHENTICATED (ACCOUNT_DISABLED); ABORTED (CONTENDED); RESOURCE_EXHAUSTED (OVERLOADED);
   * UNAVAILABLE (SHUTTING_DOWN).
   */
  "member.add": { conversationId: string; userIds: string[]; requestId?: string };
  /**
   * Removes a member from a group, or lets the caller leave. Removing others requires an owner or admin. When the owner
   * leaves, the longest-standing admin becomes the owner, or else the longest-standing member. Errors: NOT_FOUND
   * (CONVERSATION_NOT_FOUND), (MEMBER_NOT_FOUND) if the user is not a member; PERMISSION_DENIED (NOT_A_MEMBER),
   * (NOT_AN_ADMIN), (OWNER_STAYS) if the user is the owner and not the caller; FAILED_PRECONDITION
   * (DIRECT_CONVERSATION); ABORTED (CONTENDED); RESOURCE_EXHAUSTED (OVERLOADED); UNAVAILABLE (SHUTTING_DOWN).
   */
  "member.remove": { conversationId: string; userId: string; requestId?: string };
  /**
   * Changes the role of a member of a group. Requires an owner or admin; only the owner makes another member the owner,
   * and then becomes an admin. Errors: NOT_FOUND (CONVERSATION_NOT_FOUND), (MEMBER_NOT_FOUND) if the user is not a
   * member; PERMISSION_DENIED (NOT_A_MEMBER), (NOT_AN_ADMIN), (NOT_THE_OWNER) if the role of owner is to be given or
   * taken by another than the owner; FAILED_PRECONDITION (DIRECT_CONVERSATION), (OWNER_NEEDED) if the owner would lose
   * the role without a new owner; ABORTED (CONTENDED); RESOURCE_EXHAUSTED (OVERLOADED); UNAVAILABLE (SHUTTING_DOWN).
   */
  "member.update": { conversationId: string; userId: string; role: MemberRole; requestId?: string };
  /**
   * Lists the members of a conversation, by user id. Errors: NOT_FOUND (CONVERSATION_NOT_FOUND); PERMISSION_DENIED
   * (NOT_A_MEMBER); INVALID_ARGUMENT (INVALID_PAGE_TOKEN).
   */
  "member.list": { conversationId: string; pageSize?: number; pageToken?: string };
  /**
   * Stores the caller's draft in a conversation, or removes it if the text is empty. The latest call wins. The caller's
   * connections get an event of it. Errors: NOT_FOUND (CONVERSATION_NOT_FOUND); PERMISSION_DENIED (NOT_A_MEMBER).
   */
  "draft.set": { conversationId: string; text: string; replyTo?: string; requestId?: string };
  /**
   * Lists the caller's drafts in conversations of the caller, latest first: at most 200, and about 256 Ki characters.
   * Errors: only those common to all RPCs.
   */
  "draft.list": Record<string, never>;
  /**
   * Sends a message as the caller. A repeat with the same conversation and client_message_id returns the first outcome,
   * whatever else it says, for ever. The message is durable when the call returns, and counts as read by its sender
   * together with all messages before it. Errors: NOT_FOUND (CONVERSATION_NOT_FOUND); PERMISSION_DENIED (NOT_A_MEMBER);
   * INVALID_ARGUMENT (REPLY_NOT_FOUND) if reply_to is no message of the conversation; RESOURCE_EXHAUSTED (RATE_LIMITED)
   * if the user sends too fast (by default over 20 messages a second after a burst of 100), (OVERLOADED) if too many
   * messages are pending; ABORTED (CONTENDED); UNAVAILABLE (STORE_UNAVAILABLE, SHUTTING_DOWN). The last three codes
   * have RetryInfo: repeat the call with the same client_message_id.
   */
  "message.send": { conversationId: string; clientMessageId: string; text: string; kind?: "text" | "image" | "file" | "audio" | "link" | "video" | "location" | "contact" | "sticker"; replyTo?: string; mentions?: string[]; attachments?: Attachment[]; data?: Record<string, unknown> };
  /**
   * Returns a message by its id alone, from any conversation of the caller. Errors: NOT_FOUND (MESSAGE_NOT_FOUND) if it
   * does not exist or belongs to another organization; PERMISSION_DENIED (NOT_A_MEMBER).
   */
  "message.get": { messageId: string };
  /**
   * Lists a page of a conversation's messages, by ascending seq. A page holds at most about 256 Ki characters, and at
   * least one message if there is one. Errors: NOT_FOUND (CONVERSATION_NOT_FOUND); PERMISSION_DENIED (NOT_A_MEMBER).
   */
  "message.list": { conversationId: string; beforeSeq?: number; afterSeq?: number; aroundSeq?: number; pageSize?: number };
  /**
   * Lists the messages that changed after a rev, by ascending rev, each once in its present state and tombstones
   * included. A page holds at most about 256 Ki characters, and at least one message if there is one. Errors: NOT_FOUND
   * (CONVERSATION_NOT_FOUND); PERMISSION_DENIED (NOT_A_MEMBER).
   */
  "message.sync": { conversationId: string; afterRev: number; pageSize?: number };
  /**
   * Replaces the text of one of the caller's messages. Errors: NOT_FOUND (CONVERSATION_NOT_FOUND, MESSAGE_NOT_FOUND);
   * PERMISSION_DENIED (NOT_A_MEMBER), (NOT_THE_SENDER) if another user sent the message; FAILED_PRECONDITION
   * (MESSAGE_DELETED); ABORTED (CONTENDED); RESOURCE_EXHAUSTED (OVERLOADED); UNAVAILABLE (SHUTTING_DOWN).
   */
  "message.edit": { conversationId: string; messageId: string; text: string; requestId?: string };
  /**
   * Deletes a message for all members, and its text from the store. The sender may do so, the conversation's owner and
   * admins, and those members who are admins or managers of the organization. Deleting a deleted message has no effect.
   * Errors: NOT_FOUND (CONVERSATION_NOT_FOUND, MESSAGE_NOT_FOUND); PERMISSION_DENIED (NOT_A_MEMBER), (NOT_THE_SENDER)
   * if the caller may not delete the message; ABORTED (CONTENDED); RESOURCE_EXHAUSTED (OVERLOADED); UNAVAILABLE
   * (SHUTTING_DOWN).
   */
  "message.delete": { conversationId: string; messageId: string; requestId?: string };
  /**
   * Adds a reaction of the caller to a message, at most one of each emoji. A reaction that exists has no effect.
   * Errors: NOT_FOUND (CONVERSATION_NOT_FOUND, MESSAGE_NOT_FOUND); PERMISSION_DENIED (NOT_A_MEMBER); INVALID_ARGUMENT
   * (INVALID_FIELDS) if emoji is not exactly one emoji of Unicode's list; FAILED_PRECONDITION (MESSAGE_DELETED),
   * (TOO_MANY_REACTIONS) if the message has 20 other emoji or 1,000 reactions; ABORTED (CONTENDED); RESOURCE_EXHAUSTED
   * (OVERLOADED); UNAVAILABLE (SHUTTING_DOWN).
   */
  "message.react": { conversationId: string; messageId: string; emoji: string; requestId?: string };
  /**
   * Removes a reaction of the caller from a message. Removing one that does not exist has no effect. Errors: NOT_FOUND
   * (CONVERSATION_NOT_FOUND, MESSAGE_NOT_FOUND); PERMISSION_DENIED (NOT_A_MEMBER); INVALID_ARGUMENT (INVALID_FIELDS) if
   * emoji is not exactly one emoji of Unicode's list; FAILED_PRECONDITION (MESSAGE_DELETED); ABORTED (CONTENDED);
   * RESOURCE_EXHAUSTED (OVERLOADED); UNAVAILABLE (SHUTTING_DOWN).
   */
  "message.unreact": { conversationId: string; messageId: string; emoji: string; requestId?: string };
  /**
   * Pins a message for all members. Pinning a pinned message has no effect. Errors: NOT_FOUND (CONVERSATION_NOT_FOUND,
   * MESSAGE_NOT_FOUND); PERMISSION_DENIED (NOT_A_MEMBER); FAILED_PRECONDITION (MESSAGE_DELETED), (TOO_MANY_PINNED) if
   * the conversation has 50 pinned messages; ABORTED (CONTENDED); RESOURCE_EXHAUSTED (OVERLOADED); UNAVAILABLE
   * (SHUTTING_DOWN).
   */
  "message.pin": { conversationId: string; messageId: string; requestId?: string };
  /**
   * Unpins a message for all members. Unpinning a message that is not pinned has no effect. Errors: NOT_FOUND
   * (CONVERSATION_NOT_FOUND, MESSAGE_NOT_FOUND); PERMISSION_DENIED (NOT_A_MEMBER); FAILED_PRECONDITION
   * (MESSAGE_DELETED); ABORTED (CONTENDED); RESOURCE_EXHAUSTED (OVERLOADED); UNAVAILABLE (SHUTTING_DOWN).
   */
  "message.unpin": { conversationId: string; messageId: string; requestId?: string };
  /**
   * Lists the pinned messages of a conversation, by ascending seq: at most 50, which is all of them. Errors: NOT_FOUND
   * (CONVERSATION_NOT_FOUND); PERMISSION_DENIED (NOT_A_MEMBER).
   */
  "message.pinned": { conversationId: string };
  /**
   * Lists the texts that a message had and the one that it has, oldest first: the latest 200, and at most about 256 Ki
   * characters. Requires the message's sender, or an owner or admin of its group. Errors: NOT_FOUND
   * (CONVERSATION_NOT_FOUND, MESSAGE_NOT_FOUND); PERMISSION_DENIED (NOT_A_MEMBER), (NOT_THE_SENDER) if the caller may
   * not see the versions; FAILED_PRECONDITION (MESSAGE_DELETED).
   */
  "message.versions": { conversationId: string; messageId: string };
  /**
   * Lists the members whom a message has reached, by user id, without its sender and those who joined after it. Errors:
   * NOT_FOUND (CONVERSATION_NOT_FOUND, MESSAGE_NOT_FOUND); PERMISSION_DENIED (NOT_A_MEMBER).
   */
  "message.receipts": { conversationId: string; messageId: string };
  /**
   * Sends a copy of a message to other conversations of the caller, as the caller. The copies have the message's kind,
   * text, attachments and data, and name the first message that they are copies of. A repeat with the same
   * client_message_id completes the first attempt, and returns its messages. Errors: NOT_FOUND (CONVERSATION_NOT_FOUND,
   * MESSAGE_NOT_FOUND); PERMISSION_DENIED (NOT_A_MEMBER) if the caller is not a member of one of the conversations;
   * FAILED_PRECONDITION (MESSAGE_DELETED), (SYSTEM_MESSAGE) if it is one; RESOURCE_EXHAUSTED (RATE_LIMITED); in all of
   * these cases nothing is sent. ABORTED (CONTENDED), RESOURCE_EXHAUSTED (OVERLOADED) and UNAVAILABLE
   * (STORE_UNAVAILABLE, SHUTTING_DOWN) may leave some of the copies sent: repeat the call.
   */
  "message.forward": { conversationId: string; messageId: string; toConversationIds: string[]; clientMessageId: string };
  /**
   * Marks all messages up to a seq as read by the caller and delivered. Marks never move backwards. Errors: NOT_FOUND
   * (CONVERSATION_NOT_FOUND); PERMISSION_DENIED (NOT_A_MEMBER).
   */
  "receipt.read": { conversationId: string; seq: number };
  /**
   * Marks all messages up to a seq as delivered to the caller. Marks never move backwards. Errors: NOT_FOUND
   * (CONVERSATION_NOT_FOUND); PERMISSION_DENIED (NOT_A_MEMBER).
   */
  "receipt.delivered": { conversationId: string; seq: number };
  /**
   * Shows the other members for 6 s that the caller is typing, or that the caller has stopped. Typing is never stored.
   * Errors: NOT_FOUND (CONVERSATION_NOT_FOUND); PERMISSION_DENIED (NOT_A_MEMBER).
   */
  "typing.set": { conversationId: string; active: boolean };
  /**
   * Schedules a message. A repeat with the same conversation and client_message_id returns the first outcome. Errors:
   * NOT_FOUND (CONVERSATION_NOT_FOUND); PERMISSION_DENIED (NOT_A_MEMBER); INVALID_ARGUMENT (INVALID_FIELDS) if
   * send_time is past or over a year ahead; FAILED_PRECONDITION (ALREADY_SENT) if a message with the client_message_id
   * was sent, (TOO_MANY_SCHEDULED) if 100 of the caller's messages are scheduled.
   */
  "message.schedule": { conversationId: string; clientMessageId: string; text: string; sendTime: Time };
  /**
   * Lists the caller's scheduled messages, by ascending time. They are at most 100, and come in one page. Errors: only
   * those common to all RPCs.
   */
  "message.scheduled": { conversationId?: string };
  /**
   * Changes the text or the time of one of the caller's scheduled messages. Errors: NOT_FOUND
   * (SCHEDULED_MESSAGE_NOT_FOUND); INVALID_ARGUMENT (INVALID_FIELDS) if neither is given, or send_time is past or over
   * a year ahead; FAILED_PRECONDITION (ALREADY_SENT) if the message was sent or is being sent, (SEND_FAILED) if it
   * could not be sent at its time.
   */
  "message.reschedule": { scheduledMessageId: string; text?: string; sendTime?: Time; requestId?: string };
  /**
   * Cancels one of the caller's scheduled messages. Cancelling a cancelled one has no effect. Errors: NOT_FOUND
   * (SCHEDULED_MESSAGE_NOT_FOUND); FAILED_PRECONDITION (ALREADY_SENT) if the message was sent or is being sent,
   * (SEND_FAILED) if it could not be sent at its time.
   */
  "message.unschedule": { scheduledMessageId: string; requestId?: string };
  /**
   * Lists the caller's notifications, latest first. Read ones are deleted after 90 days by default. Errors:
   * INVALID_ARGUMENT (INVALID_PAGE_TOKEN).
   */
  "notification.list": { unreadOnly?: boolean; type?: NotificationType; pageSize?: number; pageToken?: string };
  /** Marks a notification as read. Errors: NOT_FOUND (NOTIFICATION_NOT_FOUND). */
  "notification.read": { notificationId: string; requestId?: string };
  /** Marks all of the caller's notifications as read. Errors: only those common to all RPCs. */
  "notification.readAll": { requestId?: string };
  /** Deletes a notification. Errors: NOT_FOUND (NOTIFICATION_NOT_FOUND). */
  "notification.delete": { notificationId: string; requestId?: string };
  /** Returns the number of the caller's unread notifications. Errors: only those common to all RPCs. */
  "notification.unreadCount": Record<string, never>;
  /** Returns the types of notifications that the caller has muted. Errors: only those common to all RPCs. */
  "notification.preferences.get": Record<string, never>;
  /** Replaces the types of notifications that the caller mutes. Errors: only those common to all RPCs. */
  "notification.preferences.set": { mutedTypes: NotificationType[]; requestId?: string };
  /**
   * Returns the presence of users, in the order of the request. Users that do not exist, and other clients if the
   * caller is a client, are offline without last_seen_time. Errors: only those common to all RPCs.
   */
  "presence.get": { userIds: string[] };
  /**
   * Sets the status that the caller shows. It stays, also without a session, until it is set again. Errors: ABORTED
   * (STATUS_CONTENDED) if other calls of the user keep changing it; UNAVAILABLE (STORE_UNAVAILABLE), after which the
   * status may have been set.
   */
  "presence.set": { status: ChosenStatus; text?: string; requestId?: string };
}

/** The `ok` of each op's reply. */
export interface Replies {
  /** Returns the calling user. Errors: UNAUTHENTICATED (ACCOUNT_DISABLED). */
  "user.me": { user: User };
  /**
   * Returns a user of the organization. Clients do not see other clients. Errors: NOT_FOUND (USER_NOT_FOUND) if the
   * user does not exist, belongs to another organization or is hidden from the caller; UNAUTHENTICATED
   * (ACCOUNT_DISABLED); PERMISSION_DENIED (ORGANIZATION_REQUIRED).
   */
  "user.get": { user: User };
  /**
   * Returns several users, once each and in the order of the request, omitting those that GetUser would not find.
   * Errors: UNAUTHENTICATED (ACCOUNT_DISABLED); PERMISSION_DENIED (ORGANIZATION_REQUIRED).
   */
  "user.batchGet": { users: User[] };
  /**
   * Lists users by name, with filters. Admins, managers and services see all users, disabled ones included; others see
   * themselves and the users whom they may contact. Errors: INVALID_ARGUMENT (INVALID_PAGE_TOKEN); UNAUTHENTICATED
   * (ACCOUNT_DISABLED); PERMISSION_DENIED (ORGANIZATION_REQUIRED).
   */
  "user.list": { users: User[]; nextPageToken: string };
  /**
   * Lists the users whom the caller may contact, by name. The caller is not among them. Errors: INVALID_ARGUMENT
   * (INVALID_PAGE_TOKEN); UNAUTHENTICATED (ACCOUNT_DISABLED).
   */
  "user.search": { users: User[]; nextPageToken: string };
  /**
   * Creates a user. Only admins and services may do so. Errors: ALREADY_EXISTS (USER_EXISTS) if the id is taken,
   * (EMAIL_TAKEN) if an account of any organization has the address; NOT_FOUND (ORGANIZATION_NOT_FOUND);
   * RESOURCE_EXHAUSTED (OVERLOADED, with RetryInfo) if too many passwords are being hashed; UNAUTHENTICATED
   * (ACCOUNT_DISABLED); PERMISSION_DENIED (NOT_ALLOWED, ORGANIZATION_REQUIRED).
   */
  "user.create": { user: User };
  /**
   * Changes the given fields of a user. Admins and services may change every user; others their own name and
   * avatar_url. Disabling a user ends the user's sessions. Errors: NOT_FOUND (USER_NOT_FOUND); ALREADY_EXISTS
   * (EMAIL_TAKEN) if another account of any organization has the address; FAILED_PRECONDITION (LAST_ADMIN) if no
   * enabled admin would remain; ABORTED (CONCURRENT_CHANGES) if others keep changing the user; UNAVAILABLE
   * (REVOCATION_NOT_PUBLISHED) if the user is disabled but open connections could not be closed, so repeat the call;
   * UNAUTHENTICATED (ACCOUNT_DISABLED); PERMISSION_DENIED (NOT_ALLOWED, ORGANIZATION_REQUIRED).
   */
  "user.update": { user: User };
  /**
   * Sets a user's password, and ends the user's sessions. Only admins and services may do so. Errors: NOT_FOUND
   * (USER_NOT_FOUND); RESOURCE_EXHAUSTED (OVERLOADED, with RetryInfo) if too many passwords are being hashed; ABORTED
   * (CONCURRENT_CHANGES) if others keep changing the user; UNAVAILABLE (REVOCATION_NOT_PUBLISHED) if the password is
   * set but open connections could not be closed, so repeat the call; UNAUTHENTICATED (ACCOUNT_DISABLED);
   * PERMISSION_DENIED (NOT_ALLOWED, ORGANIZATION_REQUIRED).
   */
  "user.setPassword": Record<string, never>;
  /**
   * Disables a user, and ends the user's sessions. Only admins and services may do so; UpdateUser enables the user
   * again. Errors: NOT_FOUND (USER_NOT_FOUND); FAILED_PRECONDITION (LAST_ADMIN) if no enabled admin would remain;
   * ABORTED (CONCURRENT_CHANGES) if others keep changing the user; UNAVAILABLE (REVOCATION_NOT_PUBLISHED) if the user
   * is disabled but open connections could not be closed, so repeat the call; UNAUTHENTICATED (ACCOUNT_DISABLED);
   * PERMISSION_DENIED (NOT_ALLOWED, ORGANIZATION_REQUIRED).
   */
  "user.deactivate": { user: User };
  /**
   * Creates the users of a list that do not exist, and sets the named fields of those that do, as a sync job of the CRM
   * does. Each row succeeds or fails by itself, and its result says which. Rows may swap e-mail addresses. A field that
   * already has its value is not written: it neither ends sessions nor revokes tokens. Only admins and services may do
   * so. Errors: UNAVAILABLE (STORE_UNAVAILABLE, REVOCATION_NOT_PUBLISHED) if some rows may not be done, so repeat the
   * call; UNAUTHENTICATED (ACCOUNT_DISABLED); PERMISSION_DENIED (NOT_ALLOWED, ORGANIZATION_REQUIRED); NOT_FOUND
   * (ORGANIZATION_NOT_FOUND). Of a row: INVALID_FIELDS, DUPLICATE_ROW, EMAIL_TAKEN, LAST_ADMIN, CONCURRENT_CHANGES.
   */
  "user.batchUpsert": { results: UserRowResult[] };
  /**
   * Returns the direct conversation with a user, and creates it if necessary. Both users and all calls get the same
   * one. Errors: INVALID_ARGUMENT (OWN_USER) if the user is the caller; if the conversation does not exist yet,
   * NOT_FOUND (USER_NOT_FOUND) and PERMISSION_DENIED (CONTACT_NOT_ALLOWED) if the caller may not contact the user;
   * UNAUTHENTICATED (ACCOUNT_DISABLED); RESOURCE_EXHAUSTED (OVERLOADED); UNAVAILABLE (SHUTTING_DOWN).
   */
  "conversation.direct": { conversation: Conversation };
  /**
   * Creates a group or project with the caller as its owner. An organization has one project for each external_ref: if
   * it exists, returns it to its members unchanged. A project that all members have left passes to the caller and the
   * given members; name and history stay. The organization's administrators and managers become admins of a project
   * that has members. Errors: PERMISSION_DENIED (GROUP_CREATION_NOT_ALLOWED) if the caller's role may not create
   * groups, (CONTACT_NOT_ALLOWED) if the caller may not contact one of the members, both whether the project exists or
   * not; (NOT_A_MEMBER) if the project has members and the caller, with another role, is none of them; NOT_FOUND
   * (USER_NOT_FOUND); FAILED_PRECONDITION (TOO_MANY_MEMBERS) if the project has 5,000 members; UNAUTHENTICATED
   * (ACCOUNT_DISABLED); ABORTED (CONTENDED); RESOURCE_EXHAUSTED (OVERLOADED); UNAVAILABLE (SHUTTING_DOWN).
   */
  "conversation.create": { conversation: Conversation };
  /**
   * Adds the caller to a room, and creates the room if necessary. A room is a group that its external_ref identifies in
   * the organization, and that all staff may join. The user who creates it becomes its owner. A client can enter a room
   * only as a member that another user added, and creates none. Errors: NOT_FOUND (CONVERSATION_NOT_FOUND) if the
   * caller is a client and there is no such room; PERMISSION_DENIED (NOT_A_MEMBER) if the caller is a client and not a
   * member; FAILED_PRECONDITION (TOO_MANY_MEMBERS) if the room has 5,000 members; ABORTED (CONTENDED);
   * RESOURCE_EXHAUSTED (OVERLOADED); UNAVAILABLE (SHUTTING_DOWN).
   */
  "conversation.joinRoom": { conversation: Conversation };
  /**
   * Returns a conversation of the caller. Errors: NOT_FOUND (CONVERSATION_NOT_FOUND); PERMISSION_DENIED (NOT_A_MEMBER).
   */
  "conversation.get": { conversation: Conversation };
  /** Lists the caller's conversations, latest activity first. Errors: INVALID_ARGUMENT (INVALID_PAGE_TOKEN). */
  "conversation.list": { conversations: Conversation[]; nextPageToken: string };
  /**
   * Changes the given fields of a conversation. Every member may change muted_until_time, which is the member's own.
   * The other fields require an owner or admin in a group; in a direct conversation both members may change archived
   * and tags. Errors: NOT_FOUND (CONVERSATION_NOT_FOUND); PERMISSION_DENIED (NOT_A_MEMBER), (NOT_AN_ADMIN) if the
   * caller is neither owner nor admin of the group; FAILED_PRECONDITION (DIRECT_CONVERSATION) if the name or
   * description of a direct conversation is to change; ABORTED (CONTENDED); RESOURCE_EXHAUSTED (OVERLOADED);
   * UNAVAILABLE (SHUTTING_DOWN).
   */
  "conversation.update": { conversation: Conversation };
  /**
   * Pins a conversation in the caller's own list. Pinning a pinned conversation has no effect. Errors: NOT_FOUND
   * (CONVERSATION_NOT_FOUND); PERMISSION_DENIED (NOT_A_MEMBER); ABORTED (CONTENDED); RESOURCE_EXHAUSTED (OVERLOADED);
   * UNAVAILABLE (SHUTTING_DOWN).
   */
  "conversation.pin": { conversation: Conversation };
  /**
   * Unpins a conversation in the caller's own list. Unpinning one that is not pinned has no effect. Errors: NOT_FOUND
   * (CONVERSATION_NOT_FOUND); PERMISSION_DENIED (NOT_A_MEMBER); ABORTED (CONTENDED); RESOURCE_EXHAUSTED (OVERLOADED);
   * UNAVAILABLE (SHUTTING_DOWN).
   */
  "conversation.unpin": { conversation: Conversation };
  /**
   * Adds users to a group. Users who are members already remain as they are. Requires an owner or admin. New members
   * see the whole history; messages sent before they joined count as read. Errors: NOT_FOUND (CONVERSATION_NOT_FOUND,
   * USER_NOT_FOUND); PERMISSION_DENIED (NOT_A_MEMBER), (NOT_AN_ADMIN), (CONTACT_NOT_ALLOWED) if the caller may not
   * contact one of the users; FAILED_PRECONDITION (DIRECT_CONVERSATION), (TOO_MANY_MEMBERS) if the group would have
   * more than 5,000; UNAUTHENTICATED (ACCOUNT_DISABLED); ABORTED (CONTENDED); RESOURCE_EXHAUSTED (OVERLOADED);
   * UNAVAILABLE (SHUTTING_DOWN).
   */
  "member.add": { conversation: Conversation };
  /**
   * Removes a member from a group, or lets the caller leave. Removing others requires an owner or admin. When the owner
   * leaves, the longest-standing admin becomes the owner, or else the longest-standing member. Errors: NOT_FOUND
   * (CONVERSATION_NOT_FOUND), (MEMBER_NOT_FOUND) if the user is not a member; PERMISSION_DENIED (NOT_A_MEMBER),
   * (NOT_AN_ADMIN), (OWNER_STAYS) if the user is the owner and not the caller; FAILED_PRECONDITION
   * (DIRECT_CONVERSATION); ABORTED (CONTENDED); RESOURCE_EXHAUSTED (OVERLOADED); UNAVAILABLE (SHUTTING_DOWN).
   */
  "member.remove": { conversation: Conversation };
  /**
   * Changes the role of a member of a group. Requires an owner or admin; only the owner makes another member the owner,
   * and then becomes an admin. Errors: NOT_FOUND (CONVERSATION_NOT_FOUND), (MEMBER_NOT_FOUND) if the user is not a
   * member; PERMISSION_DENIED (NOT_A_MEMBER), (NOT_AN_ADMIN), (NOT_THE_OWNER) if the role of owner is to be given or
   * taken by another than the owner; FAILED_PRECONDITION (DIRECT_CONVERSATION), (OWNER_NEEDED) if the owner would lose
   * the role without a new owner; ABORTED (CONTENDED); RESOURCE_EXHAUSTED (OVERLOADED); UNAVAILABLE (SHUTTING_DOWN).
   */
  "member.update": { conversation: Conversation };
  /**
   * Lists the members of a conversation, by user id. Errors: NOT_FOUND (CONVERSATION_NOT_FOUND); PERMISSION_DENIED
   * (NOT_A_MEMBER); INVALID_ARGUMENT (INVALID_PAGE_TOKEN).
   */
  "member.list": { members: Member[]; nextPageToken: string };
  /**
   * Stores the caller's draft in a conversation, or removes it if the text is empty. The latest call wins. The caller's
   * connections get an event of it. Errors: NOT_FOUND (CONVERSATION_NOT_FOUND); PERMISSION_DENIED (NOT_A_MEMBER).
   */
  "draft.set": Record<string, never>;
  /**
   * Lists the caller's drafts in conversations of the caller, latest first: at most 200, and about 256 Ki characters.
   * Errors: only those common to all RPCs.
   */
  "draft.list": { drafts: MessageDraft[] };
  /**
   * Sends a message as the caller. A repeat with the same conversation and client_message_id returns the first outcome,
   * whatever else it says, for ever. The message is durable when the call returns, and counts as read by its sender
   * together with all messages before it. Errors: NOT_FOUND (CONVERSATION_NOT_FOUND); PERMISSION_DENIED (NOT_A_MEMBER);
   * INVALID_ARGUMENT (REPLY_NOT_FOUND) if reply_to is no message of the conversation; RESOURCE_EXHAUSTED (RATE_LIMITED)
   * if the user sends too fast (by default over 20 messages a second after a burst of 100), (OVERLOADED) if too many
   * messages are pending; ABORTED (CONTENDED); UNAVAILABLE (STORE_UNAVAILABLE, SHUTTING_DOWN). The last three codes
   * have RetryInfo: repeat the call with the same client_message_id.
   */
  "message.send": { messageId: string; seq: number; rev: number; createTime: Time };
  /**
   * Returns a message by its id alone, from any conversation of the caller. Errors: NOT_FOUND (MESSAGE_NOT_FOUND) if it
   * does not exist or belongs to another organization; PERMISSION_DENIED (NOT_A_MEMBER).
   */
  "message.get": { message: Message };
  /**
   * Lists a page of a conversation's messages, by ascending seq. A page holds at most about 256 Ki characters, and at
   * least one message if there is one. Errors: NOT_FOUND (CONVERSATION_NOT_FOUND); PERMISSION_DENIED (NOT_A_MEMBER).
   */
  "message.list": { messages: Message[]; hasMore: boolean };
  /**
   * Lists the messages that changed after a rev, by ascending rev, each once in its present state and tombstones
   * included. A page holds at most about 256 Ki characters, and at least one message if there is one. Errors: NOT_FOUND
   * (CONVERSATION_NOT_FOUND); PERMISSION_DENIED (NOT_A_MEMBER).
   */
  "message.sync": { messages: Message[]; conversation: Conversation; hasMore: boolean };
  /**
   * Replaces the text of one of the caller's messages. Errors: NOT_FOUND (CONVERSATION_NOT_FOUND, MESSAGE_NOT_FOUND);
   * PERMISSION_DENIED (NOT_A_MEMBER), (NOT_THE_SENDER) if another user sent the message; FAILED_PRECONDITION
   * (MESSAGE_DELETED); ABORTED (CONTENDED); RESOURCE_EXHAUSTED (OVERLOADED); UNAVAILABLE (SHUTTING_DOWN).
   */
  "message.edit": { message: Message };
  /**
   * Deletes a message for all members, and its text from the store. The sender may do so, the conversation's owner and
   * admins, and those members who are admins or managers of the organization. Deleting a deleted message has no effect.
   * Errors: NOT_FOUND (CONVERSATION_NOT_FOUND, MESSAGE_NOT_FOUND); PERMISSION_DENIED (NOT_A_MEMBER), (NOT_THE_SENDER)
   * if the caller may not delete the message; ABORTED (CONTENDED); RESOURCE_EXHAUSTED (OVERLOADED); UNAVAILABLE
   * (SHUTTING_DOWN).
   */
  "message.delete": { message: Message };
  /**
   * Adds a reaction of the caller to a message, at most one of each emoji. A reaction that exists has no effect.
   * Errors: NOT_FOUND (CONVERSATION_NOT_FOUND, MESSAGE_NOT_FOUND); PERMISSION_DENIED (NOT_A_MEMBER); INVALID_ARGUMENT
   * (INVALID_FIELDS) if emoji is not exactly one emoji of Unicode's list; FAILED_PRECONDITION (MESSAGE_DELETED),
   * (TOO_MANY_REACTIONS) if the message has 20 other emoji or 1,000 reactions; ABORTED (CONTENDED); RESOURCE_EXHAUSTED
   * (OVERLOADED); UNAVAILABLE (SHUTTING_DOWN).
   */
  "message.react": { message: Message };
  /**
   * Removes a reaction of the caller from a message. Removing one that does not exist has no effect. Errors: NOT_FOUND
   * (CONVERSATION_NOT_FOUND, MESSAGE_NOT_FOUND); PERMISSION_DENIED (NOT_A_MEMBER); INVALID_ARGUMENT (INVALID_FIELDS) if
   * emoji is not exactly one emoji of Unicode's list; FAILED_PRECONDITION (MESSAGE_DELETED); ABORTED (CONTENDED);
   * RESOURCE_EXHAUSTED (OVERLOADED); UNAVAILABLE (SHUTTING_DOWN).
   */
  "message.unreact": { message: Message };
  /**
   * Pins a message for all members. Pinning a pinned message has no effect. Errors: NOT_FOUND (CONVERSATION_NOT_FOUND,
   * MESSAGE_NOT_FOUND); PERMISSION_DENIED (NOT_A_MEMBER); FAILED_PRECONDITION (MESSAGE_DELETED), (TOO_MANY_PINNED) if
   * the conversation has 50 pinned messages; ABORTED (CONTENDED); RESOURCE_EXHAUSTED (OVERLOADED); UNAVAILABLE
   * (SHUTTING_DOWN).
   */
  "message.pin": { message: Message };
  /**
   * Unpins a message for all members. Unpinning a message that is not pinned has no effect. Errors: NOT_FOUND
   * (CONVERSATION_NOT_FOUND, MESSAGE_NOT_FOUND); PERMISSION_DENIED (NOT_A_MEMBER); FAILED_PRECONDITION
   * (MESSAGE_DELETED); ABORTED (CONTENDED); RESOURCE_EXHAUSTED (OVERLOADED); UNAVAILABLE (SHUTTING_DOWN).
   */
  "message.unpin": { message: Message };
  /**
   * Lists the pinned messages of a conversation, by ascending seq: at most 50, which is all of them. Errors: NOT_FOUND
   * (CONVERSATION_NOT_FOUND); PERMISSION_DENIED (NOT_A_MEMBER).
   */
  "message.pinned": { messages: Message[] };
  /**
   * Lists the texts that a message had and the one that it has, oldest first: the latest 200, and at most about 256 Ki
   * characters. Requires the message's sender, or an owner or admin of its group. Errors: NOT_FOUND
   * (CONVERSATION_NOT_FOUND, MESSAGE_NOT_FOUND); PERMISSION_DENIED (NOT_A_MEMBER), (NOT_THE_SENDER) if the caller may
   * not see the versions; FAILED_PRECONDITION (MESSAGE_DELETED).
   */
  "message.versions": { versions: MessageVersion[] };
  /**
   * Lists the members whom a message has reached, by user id, without its sender and those who joined after it. Errors:
   * NOT_FOUND (CONVERSATION_NOT_FOUND, MESSAGE_NOT_FOUND); PERMISSION_DENIED (NOT_A_MEMBER).
   */
  "message.receipts": { receipts: MessageReceipt[] };
  /**
   * Sends a copy of a message to other conversations of the caller, as the caller. The copies have the message's kind,
   * text, attachments and data, and name the first message that they are copies of. A repeat with the same
   * client_message_id completes the first attempt, and returns its messages. Errors: NOT_FOUND (CONVERSATION_NOT_FOUND,
   * MESSAGE_NOT_FOUND); PERMISSION_DENIED (NOT_A_MEMBER) if the caller is not a member of one of the conversations;
   * FAILED_PRECONDITION (MESSAGE_DELETED), (SYSTEM_MESSAGE) if it is one; RESOURCE_EXHAUSTED (RATE_LIMITED); in all of
   * these cases nothing is sent. ABORTED (CONTENDED), RESOURCE_EXHAUSTED (OVERLOADED) and UNAVAILABLE
   * (STORE_UNAVAILABLE, SHUTTING_DOWN) may leave some of the copies sent: repeat the call.
   */
  "message.forward": { messages: Message[] };
  /**
   * Marks all messages up to a seq as read by the caller and delivered. Marks never move backwards. Errors: NOT_FOUND
   * (CONVERSATION_NOT_FOUND); PERMISSION_DENIED (NOT_A_MEMBER).
   */
  "receipt.read": Record<string, never>;
  /**
   * Marks all messages up to a seq as delivered to the caller. Marks never move backwards. Errors: NOT_FOUND
   * (CONVERSATION_NOT_FOUND); PERMISSION_DENIED (NOT_A_MEMBER).
   */
  "receipt.delivered": Record<string, never>;
  /**
   * Shows the other members for 6 s that the caller is typing, or that the caller has stopped. Typing is never stored.
   * Errors: NOT_FOUND (CONVERSATION_NOT_FOUND); PERMISSION_DENIED (NOT_A_MEMBER).
   */
  "typing.set": Record<string, never>;
  /**
   * Schedules a message. A repeat with the same conversation and client_message_id returns the first outcome. Errors:
   * NOT_FOUND (CONVERSATION_NOT_FOUND); PERMISSION_DENIED (NOT_A_MEMBER); INVALID_ARGUMENT (INVALID_FIELDS) if
   * send_time is past or over a year ahead; FAILED_PRECONDITION (ALREADY_SENT) if a message with the client_message_id
   * was sent, (TOO_MANY_SCHEDULED) if 100 of the caller's messages are scheduled.
   */
  "message.schedule": { scheduledMessageId: string; sendTime: Time };
  /**
   * Lists the caller's scheduled messages, by ascending time. They are at most 100, and come in one page. Errors: only
   * those common to all RPCs.
   */
  "message.scheduled": { scheduledMessages: ScheduledMessage[] };
  /**
   * Changes the text or the time of one of the caller's scheduled messages. Errors: NOT_FOUND
   * (SCHEDULED_MESSAGE_NOT_FOUND); INVALID_ARGUMENT (INVALID_FIELDS) if neither is given, or send_time is past or over
   * a year ahead; FAILED_PRECONDITION (ALREADY_SENT) if the message was sent or is being sent, (SEND_FAILED) if it
   * could not be sent at its time.
   */
  "message.reschedule": { scheduledMessage: ScheduledMessage };
  /**
   * Cancels one of the caller's scheduled messages. Cancelling a cancelled one has no effect. Errors: NOT_FOUND
   * (SCHEDULED_MESSAGE_NOT_FOUND); FAILED_PRECONDITION (ALREADY_SENT) if the message was sent or is being sent,
   * (SEND_FAILED) if it could not be sent at its time.
   */
  "message.unschedule": Record<string, never>;
  /**
   * Lists the caller's notifications, latest first. Read ones are deleted after 90 days by default. Errors:
   * INVALID_ARGUMENT (INVALID_PAGE_TOKEN).
   */
  "notification.list": { notifications: Notification[]; nextPageToken: string; unreadCount: number };
  /** Marks a notification as read. Errors: NOT_FOUND (NOTIFICATION_NOT_FOUND). */
  "notification.read": { unreadCount: number };
  /** Marks all of the caller's notifications as read. Errors: only those common to all RPCs. */
  "notification.readAll": { unreadCount: number };
  /** Deletes a notification. Errors: NOT_FOUND (NOTIFICATION_NOT_FOUND). */
  "notification.delete": { unreadCount: number };
  /** Returns the number of the caller's unread notifications. Errors: only those common to all RPCs. */
  "notification.unreadCount": { unreadCount: number };
  /** Returns the types of notifications that the caller has muted. Errors: only those common to all RPCs. */
  "notification.preferences.get": { preferences: Preferences };
  /** Replaces the types of notifications that the caller mutes. Errors: only those common to all RPCs. */
  "notification.preferences.set": { preferences: Preferences };
  /**
   * Returns the presence of users, in the order of the request. Users that do not exist, and other clients if the
   * caller is a client, are offline without last_seen_time. Errors: only those common to all RPCs.
   */
  "presence.get": { presences: Presence[] };
  /**
   * Sets the status that the caller shows. It stays, also without a session, until it is set again. Errors: ABORTED
   * (STATUS_CONTENDED) if other calls of the user keep changing it; UNAVAILABLE (STORE_UNAVAILABLE), after which the
   * status may have been set.
   */
  "presence.set": Record<string, never>;
}

/** The ops that change nothing. */
export const READS: ReadonlySet<string> = new Set([
  "user.me",
  "user.get",
  "user.batchGet",
  "user.list",
  "user.search",
  "conversation.get",
  "conversation.list",
  "member.list",
  "draft.list",
  "message.get",
  "message.list",
  "message.sync",
  "message.pinned",
  "message.versions",
  "message.receipts",
  "message.scheduled",
  "notification.list",
  "notification.unreadCount",
  "notification.preferences.get",
  "presence.get",
]);

/** The ops that take a `requestId`, by which the server recognizes a repeat. */
export const CHANGES: ReadonlySet<string> = new Set([
  "user.create",
  "user.update",
  "user.setPassword",
  "user.deactivate",
  "user.batchUpsert",
  "conversation.direct",
  "conversation.create",
  "conversation.joinRoom",
  "conversation.update",
  "conversation.pin",
  "conversation.unpin",
  "member.add",
  "member.remove",
  "member.update",
  "draft.set",
  "message.edit",
  "message.delete",
  "message.react",
  "message.unreact",
  "message.pin",
  "message.unpin",
  "message.reschedule",
  "message.unschedule",
  "notification.read",
  "notification.readAll",
  "notification.delete",
  "notification.preferences.set",
  "presence.set",
]);
