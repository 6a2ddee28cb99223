// Front-ends of different vocabularies in one conversation: each shows the others' changes as its vocabulary permits.

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { joinHelpdesk, closeAll, createCompany, connect, native } from "./harness.js";

after(closeAll);

test("telecom to helpdesk and back", async () => {
  const users = await createCompany({ ann: "manager", lou: "agent_l1" });
  const ann = await connect("/", users.ann);
  const lou = await joinHelpdesk(users.lou);
  const { conversationId } = await ann.ask("getOrCreateConversation", { targetUserId: "lou" });
  const { messageId } = await ann.ask("sendMessage", { conversationId, content: "hello desk", messageType: "text" });
  const next = await lou.next("message");
  assert.deepEqual(
    [next.messageId, next.conversationId, next.senderId, next.receiverId, next.content],
    [messageId, conversationId, "ann", "lou", "hello desk"],
  );
  await ann.next("messageDelivered", { messageId });
  lou.send({ type: "typing_start", receiverId: "ann" });
  await ann.next("userTyping", { userId: "lou", isTyping: true });
  lou.send({ type: "read", receiverId: "ann" });
  await ann.next("messagesRead", { readBy: "lou" });
  lou.send({ type: "message", receiverId: "ann", content: "hello crm" });
  const answer = await ann.next("newMessage", { senderId: "lou" });
  assert.deepEqual([answer.content, answer.senderName, answer.conversationId], ["hello crm", "Lou", conversationId]);
  await ann.ask("markMessagesAsRead", { conversationId });
  await lou.next("read", { readBy: "ann" });
  assert.equal((await ann.ask("deleteMessage", { messageId })).ok, true);
  const deleted = await lou.next("message_deleted");
  assert.deepEqual([deleted.messageId, deleted.content], [messageId, ""]);
});

test("native to projects and back, with edits and deletions", async () => {
  const users = await createCompany({ ann: "manager", bob: "employee" });
  const ann = await native(users.ann);
  const bob = await connect("/projects", users.bob);
  const { conversation } = await ann.ask("conversation.direct", { userId: "bob" });
  const conversationId = conversation.conversationId;
  await bob.ask("join_conversation", { conversationId });
  const sent = await ann.ask("message.send", { conversationId, clientMessageId: "c-1", text: "hello" });
  const next = await bob.next("new_message");
  assert.deepEqual([next._id, next.content, next.sender.name], [sent.messageId, "hello", "Ann"]);
  await ann.ask("message.edit", { conversationId, messageId: sent.messageId, text: "hello!" });
  await bob.next("message_update", { message: { content: "hello!" } });
  await bob.ask("mark_as_read", { conversationId });
  await ann.next("receipt.updated", { body: { userId: "bob", readSeq: 1 } });
  const answer = await bob.ask("send_message", { conversationId, content: "hi" });
  const created = await ann.next("message.created", { body: { message: { messageId: answer.messageId } } });
  assert.equal(created.body.message.text, "hi");
  await ann.ask("message.delete", { conversationId, messageId: sent.messageId });
  const deleted = await bob.next("message_update", { message: { isDeleted: true } });
  assert.deepEqual([deleted.messageIds, deleted.message.content], [[sent.messageId], ""]);
});

test("an edit shows in telecom and in helpdesk", async () => {
  const users = await createCompany({ ann: "manager", bob: "employee", lou: "agent_l1" });
  const ann = await native(users.ann);
  const [bob, lou] = [await connect("/", users.bob), await joinHelpdesk(users.lou)];
  const { conversation } = await ann.ask("conversation.create", { kind: "group", name: "All", memberIds: ["bob", "lou"] });
  const conversationId = conversation.conversationId;
  const sent = await ann.ask("message.send", { conversationId, clientMessageId: "c-1", text: "hello" });
  await bob.next("newMessage", { content: "hello" });
  assert.equal((await lou.next("room_message")).roomId, conversationId);
  await ann.ask("message.edit", { conversationId, messageId: sent.messageId, text: "hello!" });
  assert.equal((await bob.next("messageUpdated")).message.content, "hello!");
  assert.equal((await lou.next("message_updated")).content, "hello!");
  const { messages } = await bob.ask("getMessages", { conversationId });
  assert.equal(messages[0].content, "hello!");
});

test("all four in one room see one order", async () => {
  const users = await createCompany({ ann: "manager", bob: "employee", cal: "employee", lou: "agent_l1" });
  const [ann, bob, cal, lou] = [
    await native(users.ann),
    await connect("/", users.bob),
    await connect("/projects", users.cal),
    await joinHelpdesk(users.lou),
  ];
  const group = await ann.ask("conversation.create", { kind: "group", name: "All", memberIds: ["bob", "cal", "lou"] });
  const conversationId = group.conversation.conversationId;
  lou.send({ type: "join_room", roomId: conversationId });
  await lou.next("room_joined");
  const rounds = 20;
  await Promise.all([
    (async () => {
      for (let n = 0; n < rounds; n += 1) {
        await ann.ask("message.send", { conversationId, clientMessageId: `a${n}`, text: `ann ${n}` });
      }
    })(),
    (async () => {
      for (let n = 0; n < rounds; n += 1) {
        await bob.ask("sendMessage", { conversationId, content: `bob ${n}`, messageType: "text" });
      }
    })(),
    (async () => {
      for (let n = 0; n < rounds; n += 1) await cal.ask("send_message", { conversationId, content: `cal ${n}` });
    })(),
    (async () => {
      for (let n = 0; n < rounds; n += 1) {
        lou.send({ type: "room_message", roomId: conversationId, content: `lou ${n}` });
        await lou.next("room_message", { content: `lou ${n}` });
      }
    })(),
  ]);
  const { messages } = await ann.ask("message.list", { conversationId, pageSize: 200 });
  const truth = messages.map((message) => message.text);
  assert.equal(truth.length, 4 * rounds);
  const last = truth.at(-1);
  await bob.next("newMessage", { content: last });
  await cal.next("new_message", { content: last });
  const without = (seen) => truth.filter((text) => seen.includes(text));
  for (const seen of [bob.all("newMessage"), cal.all("new_message")]) {
    const texts = seen.map((message) => message.content);
    assert.equal(texts.length, 4 * rounds - 1);
    assert.deepEqual(texts, without(texts));
  }
});
