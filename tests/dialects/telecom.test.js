// Every event of the telecom front-end, both ways.

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { closeAll, createCompany, connect, hasFields, native, pause, start, until, untilOnline } from "./harness.js";

after(closeAll);

const MESSAGE = [
  "id", "conversationId", "chatSessionId", "senderId", "senderName", "content", "messageType", "isRead", "readAt",
  "organizationId", "createdAt", "updatedAt",
];
const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

async function two() {
  const users = await createCompany({ ann: "manager", bob: "employee" });
  const [ann, bob] = [await connect("/", users.ann), await connect("/telecom", users.bob)];
  const { conversationId } = await ann.ask("getOrCreateConversation", { targetUserId: "bob" });
  return { users, ann, bob, conversationId };
}

test("getOrCreateConversation loads the conversation into this socket alone, and both sides get the same", async () => {
  const { users, ann, bob, conversationId } = await two();
  await ann.next("conversationLoaded");
  await untilOnline(await native(users.ann), "bob");
  await ann.ask("getOrCreateConversation", { targetUserId: "bob" });
  const loaded = await ann.next("conversationLoaded");
  hasFields(loaded, "conversationId", "participants", "messages", "unreadCount");
  assert.deepEqual(loaded.messages, []);
  const participants = Object.fromEntries(loaded.participants.map((one) => [one.userId, one]));
  hasFields(participants.bob, "userId", "name", "role", "isOnline", "lastSeen");
  assert.equal(participants.bob.name, "Bob");
  assert.equal(participants.bob.role, "employee");
  assert.equal(participants.bob.isOnline, true);
  const answer = await bob.ask("getOrCreateConversation", { targetUserId: "ann" });
  assert.equal(answer.ok, true);
  assert.equal(answer.conversationId, conversationId);
  assert.equal(ann.all("conversationLoaded").length, 0);
});

test("getOrCreateConversation loads the latest 50 messages, oldest first, and the unread count", async () => {
  const { ann, bob, conversationId } = await two();
  const contents = Array.from({ length: 60 }, (_, n) => `${n}`);
  await Promise.all(contents.map((content) => ann.ask("sendMessage", { conversationId, content, messageType: "text" })));
  const loaded = await bob.ask("getOrCreateConversation", { targetUserId: "ann" });
  assert.deepEqual(loaded.messages.map((one) => one.content), contents.slice(-50));
  assert.equal(loaded.unreadCount, 60);
});

test("sendMessage reaches every participant's sockets, tells the sender of delivery, and notifies the others", async () => {
  const { users, ann, bob, conversationId } = await two();
  const secondTab = await connect("/", users.ann);
  const answer = await ann.ask("sendMessage", { conversationId, content: "hello", messageType: "text" });
  assert.equal(answer.ok, true);
  for (const one of [ann, bob, secondTab]) {
    const message = await one.next("newMessage");
    hasFields(message, ...MESSAGE);
    assert.equal(message.id, answer.messageId);
    assert.equal(message.conversationId, conversationId);
    assert.equal(message.chatSessionId, conversationId);
    assert.equal(message.senderId, "ann");
    assert.equal(message.senderName, "Ann");
    assert.equal(message.content, "hello");
    assert.equal(message.messageType, "text");
    assert.equal(message.isRead, false);
    assert.equal(message.readAt, null);
    assert.equal(message.organizationId, users.organizationId);
    assert.match(message.createdAt, ISO);
    assert.match(message.updatedAt, ISO);
  }
  const delivered = await ann.next("messageDelivered");
  hasFields(delivered, "messageId", "conversationId", "timestamp");
  assert.equal(delivered.messageId, answer.messageId);
  const notification = await bob.next("newMessageNotification");
  hasFields(notification, "conversationId", "senderId", "senderName", "content", "messageId", "timestamp");
  assert.equal(notification.messageId, answer.messageId);
  assert.equal(ann.all("newMessageNotification").length, 0);
  assert.equal(bob.all("messageDelivered").length, 0);
});

test("messageDelivered waits until a recipient is online", async () => {
  const users = await createCompany({ cal: "manager", dan: "employee" });
  const cal = await connect("/", users.cal);
  const { conversationId } = await cal.ask("getOrCreateConversation", { targetUserId: "dan" });
  await cal.ask("sendMessage", { conversationId, content: "are you there?", messageType: "text" });
  await pause(1_500);
  assert.equal(cal.all("messageDelivered").length, 0);
  const dan = await connect("/", users.dan);
  const second = await cal.ask("sendMessage", { conversationId, content: "now?", messageType: "text" });
  await cal.next("messageDelivered", { messageId: second.messageId });
  await dan.next("newMessage", { id: second.messageId });
  assert.equal(dan.all("newMessage").length, 0);
});

test("markMessagesAsRead reaches the participants, and shows in loaded messages", async () => {
  const { ann, bob, conversationId } = await two();
  await ann.ask("sendMessage", { conversationId, content: "read me", messageType: "text" });
  await bob.next("newMessage");
  assert.deepEqual(await bob.ask("markMessagesAsRead", { conversationId }), { ok: true, conversationId });
  const read = await ann.next("messagesRead", { readBy: "bob" });
  hasFields(read, "conversationId", "readBy", "timestamp");
  await bob.next("messagesRead", { readBy: "bob" });
  const { messages } = await ann.ask("getMessages", { conversationId });
  assert.equal(messages[0].isRead, true);
  assert.match(messages[0].readAt, ISO);
});

test("typing reaches the others", async () => {
  const { ann, bob, conversationId } = await two();
  ann.emit("typing", { conversationId, isTyping: true });
  assert.deepEqual(await bob.next("userTyping"), { conversationId, userId: "ann", isTyping: true });
  ann.emit("typing", { conversationId, isTyping: false });
  await bob.next("userTyping", { isTyping: false });
  assert.equal(ann.all("userTyping").length, 0);
});

test("getConversations lists them with the last message and the unread count", async () => {
  const { ann, bob, conversationId } = await two();
  await ann.ask("sendMessage", { conversationId, content: "one", messageType: "text" });
  await ann.ask("sendMessage", { conversationId, content: "two", messageType: "text" });
  bob.emit("getConversations");
  const { conversations } = await bob.next("conversationsList");
  const [one] = conversations;
  hasFields(one, "id", "participants", "lastMessage", "lastMessageAt", "unreadCount", "isActive");
  assert.equal(one.id, conversationId);
  assert.equal(one.unreadCount, 2);
  assert.equal(one.lastMessage.content, "two");
  assert.equal(one.isActive, true);
  assert.equal((await bob.ask("getConversations")).conversations.length, 1);
});

test("getMessages: page 1 is the newest, each page oldest first", async () => {
  const { ann, conversationId } = await two();
  for (const n of [1, 2, 3, 4, 5]) await ann.ask("sendMessage", { conversationId, content: `${n}`, messageType: "text" });
  const pages = [];
  for (const page of [1, 2, 3]) {
    ann.emit("getMessages", { conversationId, page, limit: 2 });
    const loaded = await ann.next("messagesLoaded", { page });
    hasFields(loaded, "conversationId", "messages", "hasMore", "page");
    pages.push([loaded.messages.map((one) => one.content).join(), loaded.hasMore]);
  }
  assert.deepEqual(pages, [["4,5", true], ["2,3", true], ["1", false]]);
});

test("deleteMessage reaches the participants; only the sender may delete", async () => {
  const { ann, bob, conversationId } = await two();
  const { messageId } = await ann.ask("sendMessage", { conversationId, content: "oops", messageType: "text" });
  const refused = await bob.ask("deleteMessage", { messageId });
  assert.deepEqual([refused.ok, refused.error.code, refused.error.reason], [false, "PERMISSION_DENIED", "NOT_THE_SENDER"]);
  assert.equal((await ann.ask("deleteMessage", { messageId })).ok, true);
  for (const one of [ann, bob]) {
    const deleted = await one.next("messageDeleted");
    hasFields(deleted, "messageId", "conversationId", "timestamp");
    assert.equal(deleted.messageId, messageId);
  }
  const { messages } = await bob.ask("getMessages", { conversationId });
  assert.deepEqual([messages[0].content, messages[0].isDeleted], ["", true]);
});

test("joinOrganization sends the online users, then changes", async () => {
  const users = await createCompany({ ann: "manager", bob: "employee" });
  const bob = await connect("/", users.bob);
  const ann = await connect("/", users.ann);
  assert.deepEqual(await ann.ask("joinOrganization", { organizationId: users.organizationId }), { ok: true });
  const here = await ann.next("userStatusChanged", { userId: "bob", isOnline: true });
  hasFields(here, "userId", "isOnline", "lastSeen", "timestamp");
  bob.socket.close();
  const gone = await ann.next("userStatusChanged", { userId: "bob", isOnline: false });
  assert.match(gone.lastSeen, ISO);
  await connect("/", users.bob);
  await ann.next("userStatusChanged", { userId: "bob", isOnline: true });
});

test("a client that has not joined the organization receives no presence", async () => {
  const users = await createCompany({ ann: "manager", bob: "employee" });
  const ann = await connect("/", users.ann);
  await connect("/", users.bob);
  await pause(500);
  assert.equal(ann.all("userStatusChanged").length, 0);
});

test("newNotification announces a message to a user who was not looking", async () => {
  const { ann, bob, conversationId } = await two();
  await ann.ask("sendMessage", { conversationId, content: "ping", messageType: "text" });
  const { notification } = await bob.next("newNotification");
  assert.equal(notification.type, "NEW_MESSAGE");
  assert.equal(notification.body, "ping");
  assert.equal(notification.isRead, false);
});

test("a user who muted a conversation gets its messages without a notification", async () => {
  const { users, ann, bob, conversationId } = await two();
  const owner = await native(users.bob);
  const isNotified = async () => {
    const { messageId } = await ann.ask("sendMessage", { conversationId, content: "psst", messageType: "text" });
    const last = await ann.ask("sendMessage", { conversationId, content: "and after it", messageType: "text" });
    for (const id of [messageId, last.messageId]) await bob.next("newMessage", { id });
    return bob.all("newMessageNotification").some((one) => one.messageId === messageId);
  };
  assert.equal(await isNotified(), true);
  await owner.ask("conversation.update", { conversationId, mutedUntil: "2099-01-01T00:00:00Z" });
  await until(async () => !(await isNotified()));
  await owner.ask("conversation.update", { conversationId, mutedUntil: null });
  await until(isNotified);
});

test("the front-end's own id of a message makes a repeat harmless, and comes back", async () => {
  const { ann, bob, conversationId } = await two();
  const message = { conversationId, content: "once", messageType: "text", tempId: "tmp-1" };
  const [first, second] = [await ann.ask("sendMessage", message), await ann.ask("sendMessage", message)];
  assert.equal(first.messageId, second.messageId);
  assert.equal(first.tempId, "tmp-1");
  assert.equal((await ann.next("newMessage")).tempId, "tmp-1");
  hasFields(await bob.next("newMessage"), ...MESSAGE); // without tempId, which bob would take for his own
  for (const tempId of ["1700000000000", 1_700_000_000_000, "0"]) {
    await ann.ask("sendMessage", { conversationId, content: typeof tempId, messageType: "text", tempId });
    assert.equal((await ann.next("newMessage", { content: typeof tempId })).tempId, tempId);
    await bob.next("newMessage", { content: typeof tempId });
  }
  assert.equal(bob.all("newMessage").length, 0);
});

test("ids that are all digits are numbers, and come in as either", async () => {
  const users = await createCompany({ 101: "manager", 202: "employee" });
  const [one, other] = [await connect("/", users[101]), await connect("/", users[202])];
  const loaded = await one.ask("getOrCreateConversation", { targetUserId: 202 });
  const again = await one.ask("getOrCreateConversation", { targetUserId: "202" });
  assert.equal(again.conversationId, loaded.conversationId);
  assert.deepEqual(loaded.participants.map((each) => each.userId).sort(), [101, 202]);
  await one.ask("sendMessage", { conversationId: loaded.conversationId, content: "hi", messageType: "text", senderId: 101 });
  assert.equal((await other.next("newMessage")).senderId, 101);
});

// --- bad input

const ABSENT = "0123456789abcdef012345";
const BAD = [
  ["joinOrganization", {}, "INVALID_ARGUMENT", "organizationId"],
  ["joinOrganization", { organizationId: "another" }, "PERMISSION_DENIED"],
  ["joinOrganization", { organizationId: [] }, "INVALID_ARGUMENT", "organizationId"],
  ["getOrCreateConversation", {}, "INVALID_ARGUMENT", "targetUserId"],
  ["getOrCreateConversation", { targetUserId: { $gt: "" } }, "INVALID_ARGUMENT", "targetUserId"],
  ["getOrCreateConversation", { targetUserId: "nobody" }, "NOT_FOUND", "targetUserId"],
  ["getOrCreateConversation", { targetUserId: "ann" }, "INVALID_ARGUMENT", "targetUserId"],
  ["getOrCreateConversation", { targetUserId: "not an id" }, "INVALID_ARGUMENT", "targetUserId"],
  ["sendMessage", {}, "INVALID_ARGUMENT", "conversationId"],
  ["sendMessage", { conversationId: "HERE" }, "INVALID_ARGUMENT", "content"],
  ["sendMessage", { conversationId: "HERE", content: 5 }, "INVALID_ARGUMENT", "content"],
  ["sendMessage", { conversationId: "HERE", content: "  " }, "INVALID_ARGUMENT", "content"],
  ["sendMessage", { conversationId: "HERE", content: "x".repeat(20_000) }, "INVALID_ARGUMENT", "content"],
  ["sendMessage", { conversationId: "HERE", content: "\u00fc".repeat(10_000) }, "INVALID_ARGUMENT", "content"],
  ["sendMessage", { conversationId: "HERE", content: "x", messageType: "system" }, "INVALID_ARGUMENT", "messageType"],
  ["sendMessage", { conversationId: "HERE", content: "x", tempId: [] }, "INVALID_ARGUMENT", "tempId"],
  ["sendMessage", { conversationId: "HERE", content: "x", senderId: true }, "INVALID_ARGUMENT", "senderId"],
  ["sendMessage", { conversationId: "HERE", content: "x", messageType: "nonsense" }, "INVALID_ARGUMENT", "messageType"],
  ["sendMessage", { conversationId: ABSENT, content: "x", messageType: "text" }, "NOT_FOUND"],
  ["sendMessage", { conversationId: "HERE", content: "x", senderId: "bob" }, "PERMISSION_DENIED"],
  ["sendMessage", { conversationId: "HERE", content: "x", organizationId: "another" }, "PERMISSION_DENIED"],
  ["sendMessage", { conversationId: "HERE", content: "x", userRole: "admin" }, "PERMISSION_DENIED"],
  ["sendMessage", "text", "INVALID_ARGUMENT"],
  ["sendMessage", ["x"], "INVALID_ARGUMENT"],
  ["markMessagesAsRead", {}, "INVALID_ARGUMENT", "conversationId"],
  ["markMessagesAsRead", { conversationId: ABSENT }, "NOT_FOUND"],
  ["markMessagesAsRead", { conversationId: null }, "INVALID_ARGUMENT", "conversationId"],
  ["typing", { conversationId: "HERE" }, "INVALID_ARGUMENT", "isTyping"],
  ["typing", { conversationId: "HERE", isTyping: "yes" }, "INVALID_ARGUMENT", "isTyping"],
  ["typing", { conversationId: ABSENT, isTyping: true }, "NOT_FOUND"],
  ["typing", { conversationId: "HERE", isTyping: true, userId: "bob" }, "PERMISSION_DENIED"],
  ["getMessages", {}, "INVALID_ARGUMENT", "conversationId"],
  ["getMessages", { conversationId: "HERE", page: 0 }, "INVALID_ARGUMENT", "page"],
  ["getMessages", { conversationId: "HERE", limit: 1_000 }, "INVALID_ARGUMENT", "limit"],
  ["getMessages", { conversationId: "HERE", page: "1" }, "INVALID_ARGUMENT", "page"],
  ["getMessages", { conversationId: ABSENT }, "NOT_FOUND"],
  ["getConversations", "all", "INVALID_ARGUMENT"],
  ["deleteMessage", {}, "INVALID_ARGUMENT", "messageId"],
  ["deleteMessage", { messageId: ABSENT }, "NOT_FOUND"],
  ["deleteMessage", { messageId: 5.5 }, "INVALID_ARGUMENT", "messageId"],
  ["nonsense", {}, "UNIMPLEMENTED"],
  ["__proto__", {}, "UNIMPLEMENTED"],
];

test("bad input is answered with its error, and the socket stays open", async () => {
  const { ann, conversationId } = await two();
  const filled = (body) => (body?.conversationId === "HERE" ? { ...body, conversationId } : body);
  for (const [name, body, code, field] of BAD) {
    const answer = await ann.ask(name, filled(body));
    assert.equal(answer.ok, false, name);
    assert.equal(answer.error.code, code, `${name} ${JSON.stringify(body).slice(0, 100)}: ${JSON.stringify(answer)}`);
    if (field) assert.ok(field in (answer.error.fields ?? {}), `${name}: ${JSON.stringify(answer)}`);
    ann.emit(name, filled(body));
    const error = await ann.next("error");
    assert.equal(error.event, name);
    assert.equal(error.code, code);
    assert.ok(error.reason && error.message);
  }
  assert.equal((await ann.ask("getConversations")).ok, true);
  assert.equal(ann.all("disconnect").length, 0);
});

test("conversations of others and of other organizations are not found", async () => {
  const { ann, conversationId } = await two();
  const others = await createCompany({ eve: "admin" });
  const eve = await connect("/", others.eve);
  const { messageId } = await ann.ask("sendMessage", { conversationId, content: "private", messageType: "text" });
  for (const [name, body] of [
    ["sendMessage", { conversationId, content: "x", messageType: "text" }],
    ["getMessages", { conversationId }],
    ["markMessagesAsRead", { conversationId }],
    ["typing", { conversationId, isTyping: true }],
    ["deleteMessage", { messageId }],
    ["getOrCreateConversation", { targetUserId: "ann" }],
  ]) {
    const answer = await eve.ask(name, body);
    assert.deepEqual([answer.ok, answer.error.code], [false, "NOT_FOUND"], name);
  }
  await pause(300);
  assert.equal(eve.all("newMessage").length, 0);
});

test("a bad token is refused with connect_error: unauthorized", async () => {
  const users = await createCompany({ ann: "manager" });
  for (const auth of [{}, { token: "" }, { token: "nonsense" }, { token: 5 }, { token: users.ann.token.slice(0, -4) }]) {
    const refused = start("/", users.ann, { auth });
    assert.equal((await refused.next("connect_error")).message, "unauthorized");
    refused.socket.close();
  }
  const byHeader = start("/", users.ann, { auth: {}, extraHeaders: { authorization: `Bearer ${users.ann.token}` } });
  await byHeader.next("connect");
});
