// Every event of the projects front-end, both ways.

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { closeAll, createCompany, connect, hasFields, native, rest, untilOnline } from "./harness.js";

after(closeAll);

const MESSAGE = ["_id", "conversation", "sender", "content", "type", "attachments", "readBy", "createdAt", "updatedAt"];
const CONVERSATION = [
  "_id", "type", "name", "participants", "project", "lastMessage", "lastActivity", "unreadCount", "createdAt", "updatedAt",
];
const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

async function two() {
  const users = await createCompany({ ann: "manager", bob: "employee" });
  const [ann, bob] = [await connect("/projects", users.ann), await connect("/projects", users.bob)];
  const { conversation } = await rest("POST", "/api/chat/direct/create?dialect=projects", users.ann, { userId: "bob" });
  return { users, ann, bob, conversationId: conversation._id };
}

test("send_message reaches every participant, its sender too, whether they joined or not", async () => {
  const { users, ann, bob, conversationId } = await two();
  await rest("PATCH", `/api/users/ann`, users.ann, { avatarUrl: "https://crm.example/ann.png" });
  const answer = await ann.ask("send_message", { conversationId, content: "hello", type: "text" });
  assert.equal(answer.ok, true);
  for (const one of [ann, bob]) {
    const message = await one.next("new_message");
    hasFields(message, ...MESSAGE);
    assert.equal(message._id, answer.messageId);
    assert.equal(message.conversation, conversationId);
    assert.equal(message.sender._id, "ann");
    assert.equal(message.sender.name, "Ann");
    hasFields(message.sender, "_id", "name", "avatar");
    assert.deepEqual([message.content, message.type, message.attachments, message.readBy], ["hello", "text", [], []]);
    assert.match(message.createdAt, ISO);
  }
});

test("a message has its sender's avatar", async () => {
  const users = await createCompany({ ann: "manager", bob: "employee" });
  await rest("PATCH", "/api/users/ann", users.ann, { avatarUrl: "https://crm.example/ann.png" });
  const [ann, bob] = [await connect("/projects", users.ann), await connect("/projects", users.bob)];
  const { conversation } = await rest("POST", "/api/chat/direct/create?dialect=projects", users.ann, { userId: "bob" });
  await ann.ask("send_message", { conversationId: conversation._id, content: "look" });
  assert.equal((await bob.next("new_message")).sender.avatar, "https://crm.example/ann.png");
});

test("attachments go with a message", async () => {
  const { ann, bob, conversationId } = await two();
  const attachments = [{ url: "https://files.example/a.pdf", name: "a.pdf", type: "application/pdf", size: 1234 }];
  await ann.ask("send_message", { conversationId, content: "", type: "file", attachments });
  const message = await bob.next("new_message");
  assert.deepEqual(message.attachments, attachments);
  assert.equal(message.type, "file");
});

test("the front-end's own id of a message makes a repeat harmless, and comes back to its sender alone", async () => {
  const { ann, bob, conversationId } = await two();
  for (const own of [{ clientMessageId: "c-1" }, { tempId: 1_700_000_000_000 }]) {
    const [name, value] = Object.entries(own)[0];
    const message = { conversationId, content: name, ...own };
    const [first, second] = [await ann.ask("send_message", message), await ann.ask("send_message", message)];
    assert.deepEqual([first.messageId, first[name]], [second.messageId, value]);
    assert.equal((await ann.next("new_message", { content: name }))[name], value);
    hasFields(await bob.next("new_message"), ...MESSAGE);
  }
  await ann.ask("send_message", { conversationId, content: "last" });
  assert.equal((await bob.next("new_message")).content, "last");
});

test("user_typing and message_update are for those who joined the conversation, until they leave it", async () => {
  const { users, ann, bob, conversationId } = await two();
  assert.equal((await ann.ask("typing", { conversationId, isTyping: true })).ok, true);
  const before = await ann.ask("send_message", { conversationId, content: "what comes after the typing" });
  await bob.next("new_message");
  assert.equal(bob.all("user_typing").length, 0);
  assert.equal((await bob.ask("join_conversation", { conversationId })).ok, true);
  ann.emit("typing", { conversationId, isTyping: false });
  assert.deepEqual(await bob.next("user_typing"), { conversationId, userId: "ann", name: "Ann", isTyping: false });
  assert.equal((await bob.ask("leave_conversation", { conversationId })).ok, true);
  await ann.ask("typing", { conversationId, isTyping: true });
  const owner = await native(users.ann);
  await owner.ask("message.edit", { conversationId, messageId: before.messageId, text: "changed" });
  await ann.ask("send_message", { conversationId, content: "last" });
  await bob.next("new_message", { content: "last" });
  assert.deepEqual([bob.all("user_typing"), bob.all("message_update")], [[], []]);
});

test("mark_as_read reports to those who joined which messages were read, by whom and when", async () => {
  const { ann, bob, conversationId } = await two();
  const before = await ann.ask("send_message", { conversationId, content: "before joining" });
  await ann.ask("join_conversation", { conversationId });
  const sent = [];
  for (const content of ["one", "two", "three"]) {
    sent.push((await ann.ask("send_message", { conversationId, content })).messageId);
  }
  assert.equal((await bob.ask("mark_as_read", { conversationId, messageId: sent[1] })).ok, true);
  const update = await ann.next("message_update", (body) => body.readBy[0]?.user === "bob");
  hasFields(update, "conversationId", "messageIds", "readBy");
  assert.deepEqual(update.messageIds, [before.messageId, sent[0], sent[1]]);
  assert.match(update.readBy[0].readAt, ISO);
  assert.equal((await bob.ask("mark_as_read", { conversationId })).ok, true);
  const rest_ = await ann.next("message_update", (body) => body.readBy[0]?.user === "bob");
  assert.deepEqual(rest_.messageIds, [sent[2]]);
  assert.equal(bob.all("message_update").length, 0);
});

test("edits and deletions come as message_update with the message as it is", async () => {
  const { users, ann, bob, conversationId } = await two();
  await bob.ask("join_conversation", { conversationId });
  const { messageId } = await ann.ask("send_message", { conversationId, content: "hello" });
  const owner = await native(users.ann);
  await owner.ask("message.edit", { conversationId, messageId, text: "hello!" });
  const edited = await bob.next("message_update", (body) => body.message?.content === "hello!");
  assert.deepEqual(edited.messageIds, [messageId]);
  hasFields(edited.message, ...MESSAGE);
  await owner.ask("message.delete", { conversationId, messageId });
  const deleted = await bob.next("message_update", (body) => body.message?.isDeleted);
  assert.deepEqual([deleted.messageIds, deleted.message.content], [[messageId], ""]);
});

test("conversation_update reports new conversations, their settings and their members", async () => {
  const users = await createCompany({ ann: "manager", bob: "employee", cal: "employee" });
  const bob = await connect("/projects", users.bob);
  const owner = await native(users.ann);
  await untilOnline(owner, "bob");
  const { conversation } = await owner.ask("conversation.create", {
    kind: "group",
    name: "Website",
    memberIds: ["bob"],
    externalRef: "4711",
  });
  const conversationId = conversation.conversationId;
  const made = (await bob.next("conversation_update")).conversation;
  hasFields(made, ...CONVERSATION);
  assert.deepEqual(
    [made._id, made.type, made.name, made.project, made.lastMessage, made.unreadCount],
    [conversationId, "project", "Website", 4711, null, 0],
  );
  const me = made.participants.find((one) => one._id === "bob");
  hasFields(me, "_id", "name", "avatar", "role", "isOnline", "lastSeen");
  assert.deepEqual([me.name, me.role, me.isOnline], ["Bob", "employee", true]);
  assert.match(made.createdAt, ISO);
  await owner.ask("conversation.update", { conversationId, name: "Shop" });
  await bob.next("conversation_update", (body) => body.conversation.name === "Shop");
  await owner.ask("member.add", { conversationId, userIds: ["cal"] });
  await bob.next("conversation_update", (body) => body.conversation.participants.length === 3);
  await owner.ask("member.remove", { conversationId, userId: "cal" });
  await bob.next("conversation_update", (body) => body.conversation.participants.length === 2);
  await owner.ask("member.remove", { conversationId, userId: "bob" });
  assert.equal((await bob.ask("send_message", { conversationId, content: "still here?" })).error.reason, "NOT_A_MEMBER");
});

test("user_online and user_offline reach the other users", async () => {
  const users = await createCompany({ ann: "manager", bob: "employee" });
  const ann = await connect("/projects", users.ann);
  const bob = await connect("/projects", users.bob);
  assert.deepEqual(await ann.next("user_online"), { userId: "bob" });
  bob.socket.close();
  const gone = await ann.next("user_offline");
  hasFields(gone, "userId", "lastSeen");
  assert.match(gone.lastSeen, ISO);
  assert.equal(ann.all("user_online").filter((one) => one.userId === "ann").length, 0);
});

test("the HTTP interface answers in these shapes", async () => {
  const { users, ann, bob, conversationId } = await two();
  await ann.ask("send_message", { conversationId, content: "one" });
  await bob.ask("mark_as_read", { conversationId });
  const { message } = await rest("POST", "/api/chat/send?dialect=projects", users.ann, { conversationId, content: "two" });
  hasFields(message, ...MESSAGE);
  for (const path of ["/api/chat/conversations", "/api/chat/direct"]) {
    const { conversations } = await rest("GET", `${path}?dialect=projects`, users.bob);
    assert.equal(conversations.length, 1);
    hasFields(conversations[0], ...CONVERSATION);
    assert.deepEqual([conversations[0].type, conversations[0].lastMessage.content], ["direct", "two"]);
  }
  for (const path of [`/api/chat/conversations/${conversationId}/messages`, `/api/chat/messages/${conversationId}`]) {
    const page = await rest("GET", `${path}?dialect=projects&limit=10`, users.ann);
    assert.deepEqual(page.messages.map((one) => [one.content, one.readBy.length]), [["one", 1], ["two", 0]]);
    hasFields(page.messages[0], ...MESSAGE);
    assert.equal(page.messages[0].readBy[0].user, "bob");
    assert.match(page.messages[0].readBy[0].readAt, ISO);
  }
  const one = await rest("GET", `/api/chat/conversations/${conversationId}?dialect=projects`, users.bob);
  hasFields(one.conversation, ...CONVERSATION);
  await assert.rejects(rest("GET", "/api/chat/conversations?dialect=nonsense", users.bob), /INVALID_/);
  const telecom = await rest("GET", "/api/chat/conversations?dialect=telecom", users.bob);
  assert.equal(telecom.conversations[0].id, conversationId);
  const plain = await rest("GET", "/api/chat/conversations", users.bob);
  assert.equal(plain.conversations[0].conversationId, conversationId);
});

test("ids that are all digits are numbers over HTTP too, and come in as either", async () => {
  const users = await createCompany({ 101: "manager", 202: "employee" });
  const made = [];
  for (const userId of [202, "202"]) {
    made.push(await rest("POST", "/api/chat/direct/create?dialect=projects", users[101], { userId }));
  }
  const [one, other] = made.map(({ conversation }) => conversation);
  assert.equal(one._id, other._id);
  assert.deepEqual(one.participants.map((each) => each._id).sort(), [101, 202]);
});

test("project conversations are listed to the front-end", async () => {
  const users = await createCompany({ ann: "manager", bob: "employee" });
  const owner = await native(users.ann);
  await owner.ask("conversation.create", { kind: "group", name: "Website", memberIds: ["bob"], externalRef: "p-1" });
  const { conversations } = await rest("GET", "/api/chat/project?dialect=projects", users.bob);
  assert.deepEqual(conversations.map((one) => [one.type, one.project, one.name]), [["project", "p-1", "Website"]]);
});

// --- bad input

const ABSENT = "0123456789abcdef012345";
const BAD = [
  ["join_conversation", {}, "INVALID_ARGUMENT", "conversationId"],
  ["join_conversation", { conversationId: ABSENT }, "NOT_FOUND"],
  ["join_conversation", { conversationId: {} }, "INVALID_ARGUMENT", "conversationId"],
  ["leave_conversation", {}, "INVALID_ARGUMENT", "conversationId"],
  ["leave_conversation", { conversationId: false }, "INVALID_ARGUMENT", "conversationId"],
  ["send_message", {}, "INVALID_ARGUMENT", "conversationId"],
  ["send_message", { conversationId: "HERE" }, "INVALID_ARGUMENT", "content"],
  ["send_message", { conversationId: "HERE", content: " " }, "INVALID_ARGUMENT", "content"],
  ["send_message", { conversationId: "HERE", content: [] }, "INVALID_ARGUMENT", "content"],
  ["send_message", { conversationId: "HERE", content: "x", type: "nonsense" }, "INVALID_ARGUMENT", "type"],
  ["send_message", { conversationId: "HERE", content: "x", type: "system" }, "INVALID_ARGUMENT", "type"],
  ["send_message", { conversationId: "HERE", content: "\u00fc".repeat(10_000) }, "INVALID_ARGUMENT", "content"],
  ["send_message", { conversationId: "HERE", content: "x", organizationId: 5.5 }, "INVALID_ARGUMENT", "organizationId"],
  ["send_message", { conversationId: "HERE", content: "x", organizationId: "another" }, "PERMISSION_DENIED"],
  ["send_message", { conversationId: "HERE", content: "x", userRole: "admin" }, "PERMISSION_DENIED"],
  ["send_message", { conversationId: "HERE", content: "x", attachments: {} }, "INVALID_ARGUMENT", "attachments"],
  ["send_message", { conversationId: "HERE", content: "x", attachments: [{}] }, "INVALID_ARGUMENT", "attachments"],
  ["send_message", { conversationId: "HERE", content: "x", attachments: [{ url: "javascript:1" }] }, "INVALID_ARGUMENT", "attachments"],
  ["send_message", { conversationId: ABSENT, content: "x" }, "NOT_FOUND"],
  ["send_message", { conversationId: "HERE", content: "x", senderId: "bob" }, "PERMISSION_DENIED"],
  ["typing", { conversationId: "HERE" }, "INVALID_ARGUMENT", "isTyping"],
  ["typing", { conversationId: "HERE", isTyping: 1 }, "INVALID_ARGUMENT", "isTyping"],
  ["typing", { conversationId: ABSENT, isTyping: true }, "NOT_FOUND"],
  ["typing", { conversationId: "HERE", isTyping: true, userId: "bob" }, "PERMISSION_DENIED"],
  ["mark_as_read", {}, "INVALID_ARGUMENT", "conversationId"],
  ["mark_as_read", { conversationId: ABSENT }, "NOT_FOUND"],
  ["mark_as_read", { conversationId: "HERE", messageId: ABSENT }, "NOT_FOUND"],
  ["mark_as_read", { messageId: [] }, "INVALID_ARGUMENT", "messageId"],
  ["sendMessage", { conversationId: "HERE", content: "another front-end's" }, "UNIMPLEMENTED"],
];

test("bad input is answered with its error, and the socket stays open", async () => {
  const { ann, conversationId } = await two();
  const filled = (body) => (body.conversationId === "HERE" ? { ...body, conversationId } : body);
  for (const [name, body, code, field] of BAD) {
    const answer = await ann.ask(name, filled(body));
    assert.equal(answer.ok, false, name);
    assert.equal(answer.error.code, code, `${name} ${JSON.stringify(body)}: ${JSON.stringify(answer)}`);
    if (field) assert.ok(field in (answer.error.fields ?? {}), `${name}: ${JSON.stringify(answer)}`);
    ann.emit(name, filled(body));
    const error = await ann.next("error");
    assert.deepEqual([error.event, error.code], [name, code]);
  }
  assert.equal((await ann.ask("send_message", { conversationId, content: "still here" })).ok, true);
  assert.equal(ann.all("disconnect").length, 0);
});
