// Every type of the helpdesk front-end, both ways, on plain WebSockets.

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { joinHelpdesk, connectWebSocket, closeAll, createCompany, flood, hasFields, native, until } from "./harness.js";

after(closeAll);

const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const byType = (frame) => frame.type;
const withToken = (user) => `base64url.bearer.authorization.parley.${Buffer.from(user.token).toString("base64url")}`;

async function two() {
  const users = await createCompany({ cleo: "client", lou: "agent_l1" });
  const cleo = await joinHelpdesk(users.cleo, { userName: "Cleo", userRole: "client" });
  const lou = await joinHelpdesk(users.lou, { userName: "Lou", userRole: "employee_l1" });
  return { users, cleo, lou };
}

test("user_join is answered with the online users, and announced to the others", async () => {
  const users = await createCompany({ cleo: "client", lou: "agent_l1" });
  const cleo = await joinHelpdesk(users.cleo);
  const lou = await joinHelpdesk(users.lou);
  hasFields(lou.joined, "type", "userId", "users");
  assert.equal(lou.joined.userId, "lou");
  await until(async () => {
    lou.send({ type: "user_join", userId: "lou" });
    lou.joined = await lou.next("joined");
    return lou.joined.users.length > 1;
  });
  assert.deepEqual(
    lou.joined.users.sort((a, b) => (a.userId < b.userId ? -1 : 1)),
    [
      { userId: "cleo", userName: "Cleo", userRole: "client" },
      { userId: "lou", userName: "Lou", userRole: "employee_l1" },
    ],
  );
  const online = { type: "user_online", userId: "lou", userName: "Lou", userRole: "employee_l1" };
  assert.deepEqual(await cleo.next("user_online"), online);
  lou.socket.close();
  assert.deepEqual(await cleo.next("user_offline"), { ...online, type: "user_offline" });
});

test("the token may come in the frame, in a header or in the subprotocol", async () => {
  const users = await createCompany({ lou: "agent_l1" });
  const join = { type: "user_join", userId: "lou", userName: "Lou", userRole: "employee_l1" };
  for (const [protocols, headers, more] of [
    [[], {}, { token: users.lou.token }],
    [[], { authorization: `Bearer ${users.lou.token}` }, {}],
    [[withToken(users.lou)], {}, {}],
    [["helpdesk", withToken(users.lou)], {}, {}],
  ]) {
    const lou = await connectWebSocket("/helpdesk", protocols, byType, headers);
    lou.send({ ...join, ...more });
    await lou.next("joined");
  }
});

test("only user_join is accepted before it, and a bad token ends the connection", async () => {
  const users = await createCompany({ lou: "agent_l1" });
  const lou = await connectWebSocket("/helpdesk", [], byType);
  lou.send({ type: "message", receiverId: "cleo", content: "hi", tempId: "t1" });
  const early = await lou.next("error");
  assert.deepEqual([early.code, early.reason], ["FAILED_PRECONDITION", "NOT_JOINED"]);
  lou.socket.send("not json");
  assert.equal((await lou.next("error")).reason, "MALFORMED_FRAME");
  lou.send({ type: "user_join", userId: "somebody else", token: users.lou.token });
  assert.equal((await lou.next("error")).reason, "IDENTITY_MISMATCH");
  lou.send({ type: "user_join", userId: "lou", userRole: "employee_l3", token: users.lou.token });
  assert.equal((await lou.next("error")).reason, "IDENTITY_MISMATCH");
  lou.send({ type: "user_join", userId: "lou", userName: 7, token: users.lou.token });
  assert.deepEqual(Object.keys((await lou.next("error")).fields), ["userName"]);
  lou.send({ type: "user_join", token: users.lou.token }); // the token says what the frame leaves out
  assert.equal((await lou.next("joined")).userId, "lou");
  for (const token of ["nonsense", ""]) {
    const bad = await connectWebSocket("/helpdesk", [], byType);
    bad.send({ type: "user_join", userId: "lou", token });
    assert.equal((await bad.next("error")).code, "UNAUTHENTICATED");
    assert.equal((await bad.next("close")).code, 4401);
  }
});

test("a client that does not join within 10 seconds is closed", async () => {
  const idle = await connectWebSocket("/helpdesk", [], byType);
  assert.equal((await idle.next("close")).code, 4401);
});

test("message finds or makes the direct conversation, and comes to both", async () => {
  const { users, cleo, lou } = await two();
  const secondTab = await joinHelpdesk(users.cleo);
  const sent = { type: "message", senderId: "cleo", senderName: "Cleo", receiverId: "lou", content: "help!" };
  cleo.send({ ...sent, timestamp: new Date().toISOString(), tempId: "t-1" });
  const mine = await cleo.next("message");
  hasFields(
    mine,
    "type", "messageId", "conversationId", "senderId", "senderName", "receiverId", "content", "timestamp",
    "tempId", "clientMessageId",
  );
  assert.match(mine.timestamp, ISO);
  const { tempId, clientMessageId, ...common } = mine;
  assert.deepEqual([tempId, clientMessageId], ["t-1", "t-1"]);
  assert.deepEqual(await lou.next("message"), common);
  assert.deepEqual(await secondTab.next("message"), mine);
  assert.deepEqual([mine.senderId, mine.senderName, mine.receiverId, mine.content], ["cleo", "Cleo", "lou", "help!"]);
  const where = { type: "sent", tempId: "t-1", messageId: mine.messageId, timestamp: mine.timestamp };
  assert.deepEqual(await cleo.next("sent"), where);
  cleo.send({ ...sent, tempId: "t-1" });
  assert.deepEqual(await cleo.next("sent"), where);
  cleo.send({ ...sent, clientMessageId: 7 });
  assert.equal((await cleo.next("sent", { clientMessageId: 7 })).messageId, (await lou.next("message")).messageId);
  assert.equal((await cleo.next("message")).clientMessageId, 7);
  lou.send({ type: "message", receiverId: "cleo", content: "coming" });
  const answer = await cleo.next("message");
  assert.equal(answer.conversationId, mine.conversationId);
  assert.equal("tempId" in (await lou.next("message")), false);
});

test("messages that are sent before the conversation is known come in the order in which they were sent", async () => {
  const { cleo, lou } = await two();
  for (let n = 0; n < 30; n += 1) cleo.send({ type: "message", receiverId: "lou", content: `${n}` });
  for (let n = 0; n < 30; n += 1) assert.equal((await lou.next("message")).content, `${n}`);
});

test("typing reaches the receiver", async () => {
  const { cleo, lou } = await two();
  for (const type of ["typing_start", "typing_stop"]) {
    cleo.send({ type, senderId: "cleo", senderName: "Cleo", receiverId: "lou" });
    assert.deepEqual(await lou.next(type), { type, senderId: "cleo", senderName: "Cleo", receiverId: "lou" });
  }
  assert.equal(cleo.all("typing_start").length, 0);
});

test("read reaches the other user", async () => {
  const { cleo, lou } = await two();
  cleo.send({ type: "message", receiverId: "lou", content: "hello" });
  await lou.next("message");
  lou.send({ type: "read", receiverId: "cleo" });
  const read = await cleo.next("read", { readBy: "lou" });
  hasFields(read, "type", "readBy", "receiverId", "timestamp");
  assert.equal(read.receiverId, "cleo");
});

test("history comes in pages, oldest first", async () => {
  const { cleo, lou } = await two();
  for (let n = 1; n <= 5; n += 1) cleo.send({ type: "message", receiverId: "lou", content: `${n}` });
  await lou.next("message", { content: "5" });
  lou.send({ type: "history", receiverId: "cleo", limit: 2 });
  const latest = await lou.next("history");
  hasFields(latest, "type", "receiverId", "messages", "hasMore");
  assert.deepEqual([latest.messages.map((one) => one.content), latest.hasMore], [["4", "5"], true]);
  lou.send({ type: "history", receiverId: "cleo", limit: 5, beforeSeq: latest.messages[0].seq });
  const earlier = await lou.next("history");
  assert.deepEqual([earlier.messages.map((one) => one.content), earlier.hasMore], [["1", "2", "3"], false]);
  assert.equal(earlier.messages[0].senderName, "Cleo");
  const fields = ["type", "messageId", "conversationId", "senderId", "senderName", "content", "timestamp", "seq"];
  hasFields(earlier.messages[0], ...fields.slice(1));
});

test("rooms: staff make and enter them, messages, typing and reading reach their members", async () => {
  const users = await createCompany({ lou: "agent_l1", lee: "agent_l2", cleo: "client", moe: "manager" });
  const [lou, lee, cleo] = [await joinHelpdesk(users.lou), await joinHelpdesk(users.lee), await joinHelpdesk(users.cleo)];
  lou.send({ type: "join_room", roomId: "tickets", roomName: "Tickets" });
  const made = await lou.next("room_joined");
  hasFields(made, "type", "roomId", "roomName", "members", "messages", "hasMore");
  assert.deepEqual([made.roomId, made.roomName, made.messages], ["tickets", "Tickets", []]);
  lou.send({ type: "room_message", roomId: "tickets", content: "first", tempId: "r-1" });
  const mine = await lou.next("room_message");
  hasFields(
    mine,
    "type", "messageId", "conversationId", "roomId", "senderId", "senderName", "content", "timestamp",
    "tempId", "clientMessageId",
  );
  lee.send({ type: "join_room", roomId: "tickets" });
  const entered = await lee.next("room_joined");
  assert.deepEqual(entered.messages.map((one) => one.content), ["first"]);
  assert.deepEqual(entered.members.map((one) => one.userId).sort(), ["lee", "lou"]);
  assert.equal(entered.members.find((one) => one.userId === "lee").userRole, "employee_l2");
  lee.send({ type: "room_message", roomId: "tickets", content: "second" });
  const next = await lou.next("room_message", { content: "second" });
  assert.deepEqual([next.roomId, next.senderName], ["tickets", "Lee"]);
  lee.send({ type: "typing_start", roomId: "tickets" });
  const typing = { type: "typing_start", senderId: "lee", senderName: "Lee", roomId: "tickets" };
  assert.deepEqual(await lou.next("typing_start"), typing);
  lee.send({ type: "read", roomId: "tickets" });
  assert.equal((await lou.next("read", { readBy: "lee" })).roomId, "tickets");
  lee.send({ type: "history", roomId: "tickets" });
  const history = await lee.next("history");
  hasFields(history, "type", "roomId", "messages", "hasMore");
  assert.deepEqual([history.roomId, history.messages.length], ["tickets", 2]);

  cleo.send({ type: "join_room", roomId: "tickets" });
  assert.equal((await cleo.next("error")).code, "PERMISSION_DENIED");
  cleo.send({ type: "join_room", roomId: "a room of my own" });
  assert.equal((await cleo.next("error")).code, "NOT_FOUND");
  const owner = await native(users.lou);
  await owner.ask("member.add", { conversationId: mine.conversationId, userIds: ["cleo"] });
  cleo.send({ type: "join_room", roomId: "tickets" });
  assert.equal((await cleo.next("room_joined")).messages.length, 2);
  cleo.send({ type: "room_message", roomId: "tickets", content: "third" });
  for (const one of [lou, lee, cleo]) await one.next("room_message", { content: "third" });
});

test("a group made elsewhere is a room by its conversation's id; joining and speaking at once works", async () => {
  const users = await createCompany({ lou: "agent_l1", ann: "manager" });
  const lou = await joinHelpdesk(users.lou);
  const owner = await native(users.ann);
  const group = await owner.ask("conversation.create", { kind: "group", name: "Case 7", memberIds: ["lou"], externalRef: "7" });
  const roomId = group.conversation.conversationId;
  lou.send({ type: "join_room", roomId });
  lou.send({ type: "room_message", roomId, content: "here" });
  assert.equal((await lou.next("room_joined")).roomName, "Case 7");
  assert.equal((await lou.next("room_message")).roomId, roomId);
  assert.equal((await owner.next("message.created")).body.message.text, "here");
});

test("a user who left a room can enter it again", async () => {
  const users = await createCompany({ lou: "agent_l1", lee: "agent_l2" });
  const [lou, lee] = [await joinHelpdesk(users.lou), await joinHelpdesk(users.lee)];
  lou.send({ type: "join_room", roomId: 42 });
  assert.equal((await lou.next("room_joined")).roomId, 42);
  lee.send({ type: "join_room", roomId: "42" });
  assert.equal((await lee.next("room_joined")).roomId, 42);
  const owner = await native(users.lee);
  const { conversations } = await owner.ask("conversation.list", {});
  await owner.ask("member.remove", { conversationId: conversations[0].conversationId, userId: "lee" });
  lee.send({ type: "room_message", roomId: 42, content: "am I in?" });
  assert.equal((await lee.next("error")).reason, "NOT_A_MEMBER");
  lee.send({ type: "join_room", roomId: 42 });
  await lee.next("room_joined");
  lee.send({ type: "room_message", roomId: 42, content: "back" });
  await lou.next("room_message", { content: "back", roomId: 42 });
});

test("clients do not see other clients", async () => {
  const users = await createCompany({ cleo: "client", carl: "client", lou: "agent_l1" });
  const cleo = await joinHelpdesk(users.cleo);
  const carl = await joinHelpdesk(users.carl);
  await joinHelpdesk(users.lou);
  await cleo.next("user_online", { userId: "lou" });
  assert.deepEqual(carl.joined.users.map((one) => one.userId), ["carl"]);
  assert.equal(cleo.all("user_online").length, 0);
});

// --- bad input

const BAD = [
  [{}, "UNIMPLEMENTED"],
  [{ type: "nonsense" }, "UNIMPLEMENTED"],
  [{ type: 5 }, "UNIMPLEMENTED"],
  [{ type: "message" }, "INVALID_ARGUMENT", "receiverId"],
  [{ type: "message", receiverId: "lou" }, "INVALID_ARGUMENT", "content"],
  [{ type: "message", receiverId: "lou", content: 5 }, "INVALID_ARGUMENT", "content"],
  [{ type: "message", receiverId: "lou", content: " " }, "INVALID_ARGUMENT", "content"],
  [{ type: "message", receiverId: "nobody", content: "x" }, "NOT_FOUND", "receiverId"],
  [{ type: "message", receiverId: "cleo", content: "x" }, "INVALID_ARGUMENT", "receiverId"],
  [{ type: "message", receiverId: "not an id", content: "x" }, "INVALID_ARGUMENT", "receiverId"],
  [{ type: "message", receiverId: "lou", content: "\u00fc".repeat(10_000) }, "INVALID_ARGUMENT", "content"],
  [{ type: "message", receiverId: "lou", content: "x", senderId: {} }, "INVALID_ARGUMENT", "senderId"],
  [{ type: "message", receiverId: "lou", content: "x", clientMessageId: 1.5 }, "INVALID_ARGUMENT", "clientMessageId"],
  [{ type: "message", receiverId: "lou", content: "x", senderId: "lou" }, "PERMISSION_DENIED"],
  [{ type: "message", receiverId: "lou", content: "x".repeat(20_000) }, "INVALID_ARGUMENT", "content"],
  [{ type: "typing_start" }, "INVALID_ARGUMENT", "receiverId"],
  [{ type: "typing_stop", receiverId: {} }, "INVALID_ARGUMENT", "receiverId"],
  [{ type: "typing_start", receiverId: "lou", roomId: "tickets" }, "INVALID_ARGUMENT", "receiverId"],
  [{ type: "join_room" }, "INVALID_ARGUMENT", "roomId"],
  [{ type: "join_room", roomId: "x".repeat(300) }, "INVALID_ARGUMENT", "roomId"],
  [{ type: "join_room", roomId: " " }, "INVALID_ARGUMENT", "roomId"],
  [{ type: "join_room", roomId: "x", roomName: " " }, "INVALID_ARGUMENT", "roomName"],
  [{ type: "room_message", content: "x" }, "INVALID_ARGUMENT", "roomId"],
  [{ type: "room_message", roomId: "tickets", content: "x" }, "FAILED_PRECONDITION"],
  [{ type: "history" }, "INVALID_ARGUMENT", "receiverId"],
  [{ type: "history", receiverId: "lou", limit: 0 }, "INVALID_ARGUMENT", "limit"],
  [{ type: "history", receiverId: "lou", beforeSeq: "1" }, "INVALID_ARGUMENT", "beforeSeq"],
  [{ type: "history", roomId: "tickets" }, "FAILED_PRECONDITION"],
  [{ type: "read" }, "INVALID_ARGUMENT", "receiverId"],
  [{ type: "read", receiverId: "nobody" }, "NOT_FOUND"],
  [{ type: "user_join", userId: "lou" }, "PERMISSION_DENIED"],
  [{ type: "user_join", userId: "cleo", userRole: 5 }, "INVALID_ARGUMENT", "userRole"],
  [{ type: "user_join", userId: "cleo", userName: [] }, "INVALID_ARGUMENT", "userName"],
  [{ type: "user_join", userId: "cleo", organizationId: "another" }, "PERMISSION_DENIED"],
];

test("bad input is answered with its error, and the socket stays open", async () => {
  const { cleo } = await two();
  for (const [frame, code, field] of BAD) {
    cleo.send({ ...frame, tempId: "t-9" });
    const error = await cleo.next("error");
    assert.equal(error.code, code, `${JSON.stringify(frame).slice(0, 100)}: ${JSON.stringify(error)}`);
    assert.ok(error.reason && error.message);
    assert.equal(error.tempId, "t-9");
    if (field) assert.ok(field in (error.fields ?? {}), JSON.stringify(error));
  }
  for (const text of ["not json", "[]", "5", '"text"', "null", ""]) {
    cleo.socket.send(text);
    assert.equal((await cleo.next("error")).reason, "MALFORMED_FRAME");
  }
  cleo.send({ type: "message", receiverId: "lou", content: "still here" });
  await cleo.next("message");
  assert.equal(cleo.all("close").length, 0);
});

test("a flood ends the connection with 4429", async () => {
  const { cleo } = await two();
  const typing = () => cleo.send({ type: "typing_start", receiverId: "lou" });
  assert.equal((await flood(cleo, typing, "close")).code, 4429);
});
