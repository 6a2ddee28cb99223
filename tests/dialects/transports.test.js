// How front-ends connect, and stay connected: polling, upgrade, restarts, several tabs.

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { closeAll, createCompany, connect, control, flood, from, pause, rest, start } from "./harness.js";

after(closeAll);

async function withConversation(options = {}) {
  const users = await createCompany({ ann: "manager", bob: "employee" });
  const [ann, bob] = [await connect("/", users.ann, options), await connect("/", users.bob, options)];
  const { conversationId } = await ann.ask("getOrCreateConversation", { targetUserId: "bob" });
  return { users, ann, bob, conversationId };
}

const say = (one, conversationId, content, more = {}) =>
  one.ask("sendMessage", { conversationId, content, messageType: "text", ...more });

for (const [name, options] of [
  ["polling alone", { transports: ["polling"] }],
  ["WebSocket alone", { transports: ["websocket"] }],
  ["polling, then an upgrade", {}],
]) {
  test(`messages come once and in order by ${name}`, async () => {
    const { ann, bob, conversationId } = await withConversation(options);
    for (let n = 0; n < 50; n += 1) await say(ann, conversationId, `${n}`);
    for (let n = 0; n < 50; n += 1) assert.equal((await bob.next("newMessage")).content, `${n}`);
    const expected = options.transports?.[0] ?? "websocket";
    for (const one of [ann, bob]) assert.equal(one.socket.io.engine.transport.name, expected);
  });
}

test("many events posted at once by polling are accepted, in order", async () => {
  const { ann, bob, conversationId } = await withConversation({ transports: ["polling"] });
  const contents = Array.from({ length: 100 }, (_, n) => `${n}`);
  const answers = await Promise.all(contents.map((content) => say(ann, conversationId, content)));
  assert.ok(answers.every((answer) => answer.ok));
  for (const content of contents) assert.equal((await bob.next("newMessage")).content, content);
});

test("nothing is lost or out of order while a connection is upgraded", async () => {
  const users = await createCompany({ ann: "manager", bob: "employee" });
  const ann = await connect("/", users.ann, { transports: ["websocket"] });
  const { conversationId } = await ann.ask("getOrCreateConversation", { targetUserId: "bob" });
  let sent = 0;
  let sending = true;
  const stream = (async () => {
    for (; sending; sent += 1) await say(ann, conversationId, `${sent}`);
  })();
  const tabs = [];
  for (let n = 0; n < 10; n += 1) {
    const tab = start("/", users.bob);
    await tab.next("connect");
    tabs.push({ tab, upgraded: new Promise((resolve) => tab.socket.io.engine.once("upgrade", resolve)) });
    await pause(30);
  }
  await Promise.all(tabs.map(({ tab, upgraded }) => (tab.socket.io.engine.transport.name === "websocket" ? 0 : upgraded)));
  await pause(200);
  sending = false;
  await stream;
  for (const { tab } of tabs) {
    await tab.next("newMessage", { content: `${sent - 1}` });
    const numbers = tab.all("newMessage").map((message) => Number(message.content));
    numbers.forEach((number, index) => assert.equal(number, numbers[0] + index));
    assert.equal(numbers.at(-1), sent - 2);
  }
});

test("two tabs of one user receive the same, also from each other", async () => {
  const { users, ann, bob, conversationId } = await withConversation();
  const secondTab = await connect("/", users.ann);
  await say(secondTab, conversationId, "from the second tab");
  assert.equal((await ann.next("newMessage")).content, "from the second tab");
  await say(bob, conversationId, "to both");
  for (const tab of [ann, secondTab]) await tab.next("newMessage", { content: "to both" });
  secondTab.socket.close();
  await say(bob, conversationId, "to the first");
  await ann.next("newMessage", { content: "to the first" });
});

test("several namespaces share one connection", async () => {
  const users = await createCompany({ ann: "manager", bob: "employee" });
  const telecom = await connect("/telecom", users.ann, { transports: ["websocket"] });
  const projects = start("/projects", users.ann, { over: telecom });
  await projects.next("connect");
  assert.equal(projects.socket.io.engine, telecom.socket.io.engine);
  const { conversationId } = await telecom.ask("getOrCreateConversation", { targetUserId: "bob" });
  assert.equal((await projects.ask("send_message", { conversationId, content: "hi" })).ok, true);
  await telecom.next("newMessage", { content: "hi" });
  await projects.next("new_message", { content: "hi" });
  projects.socket.disconnect();
  assert.equal((await telecom.ask("sendMessage", { conversationId, content: "alone", messageType: "text" })).ok, true);
  await telecom.next("newMessage", { content: "alone" });
});

test("an unknown namespace is refused", async () => {
  const users = await createCompany({ ann: "manager" });
  for (const transport of ["polling", "websocket"]) {
    const lost = start("/nowhere", users.ann, { transports: [transport] });
    assert.equal((await lost.next("connect_error")).message, "Invalid namespace");
  }
});

/** Asks until there is an answer: a connection may be lost twice when both gateways go, one after the other. */
async function answered(one) {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await one.ask("getConversations");
    } catch (error) {
      if (attempt === 20) throw error;
      await pause(200);
    }
  }
}

for (const how of ["kill", "stop"]) {
  test(`clients reconnect by themselves after a gateway stops (${how}), and continue`, async () => {
    const { ann, bob, conversationId } = await withConversation();
    await say(ann, conversationId, "before");
    await bob.next("newMessage", { content: "before" });
    for (const gateway of ["gateway-1", "gateway-2"]) await control(`/${how}`, { process: gateway });
    for (const one of [ann, bob]) {
      await one.next("disconnect");
      await answered(one);
    }
    const answer = await say(ann, conversationId, "after");
    assert.equal(answer.ok, true);
    await bob.next("newMessage", { content: "after" });
    const { messages } = await bob.ask("getMessages", { conversationId });
    assert.deepEqual(messages.map((message) => message.content), ["before", "after"]);
  });
}

test("a message whose reply was lost is repeated with its own id, and exists once", async () => {
  const { ann, bob, conversationId } = await withConversation({ transports: ["websocket"] });
  const message = { conversationId, content: "surely", messageType: "text", clientMessageId: "c-1" };
  ann.emit("sendMessage", message);
  await bob.next("newMessage", { content: "surely" });
  ann.socket.io.engine.close();
  await ann.next("disconnect");
  await ann.next("connect");
  assert.equal((await ann.ask("sendMessage", message)).ok, true);
  const { messages } = await bob.ask("getMessages", { conversationId });
  assert.equal(messages.length, 1);
});

test("clients of different machines, on any gateway, reach each other", async () => {
  const users = await createCompany({ ann: "manager", bob: "employee" });
  const anns = [];
  for (let n = 2; n < 8; n += 1) anns.push(await connect("/", users.ann, from(`127.0.0.${n}`)));
  const bob = await connect("/", users.bob);
  const { conversationId } = await bob.ask("getOrCreateConversation", { targetUserId: "ann" });
  await say(bob, conversationId, "everywhere");
  for (const one of anns) await one.next("newMessage", { content: "everywhere" });
});

for (const transport of ["polling", "websocket"]) {
  test(`a flood ends the connection, and its client reconnects (${transport})`, async () => {
    const { ann, bob, conversationId } = await withConversation({ transports: [transport] });
    await flood(ann, () => ann.emit("typing", { conversationId, isTyping: true }), "disconnect");
    await ann.next("connect");
    assert.equal((await bob.ask("getConversations")).ok, true);
  });
}

test("too many malformed events end the connection for good; fewer are answered", async () => {
  const { ann } = await withConversation({ transports: ["websocket"] });
  const raw = (packet) => ann.socket.io.engine.write(packet);
  for (let n = 0; n < 5; n += 1) raw("2[5]");
  for (let n = 0; n < 5; n += 1) assert.equal((await ann.next("error")).reason, "MALFORMED_EVENT");
  assert.equal((await ann.ask("getConversations")).ok, true);
  for (let n = 0; n < 12; n += 1) raw("2{broken");
  assert.equal((await ann.next("disconnect")).reason, "io server disconnect");
});

for (const [namespace, closed, refresh] of [
  ["/", "sessionClosed", "refreshSession"],
  ["/projects", "session_closed", "refresh_session"],
]) {
  test(`a client reads why it is closed, asks for a token and reconnects by itself (${namespace})`, async () => {
    const users = await createCompany({ ann: "manager" });
    const login = async () => (await rest("POST", "/api/auth/login", undefined, users.logins.ann)).accessToken;
    let asked = 0;
    const auth = (use) => { asked += 1; login().then((token) => use({ token })); };
    const ann = await connect(namespace, { ...users.ann, auth }, { transports: ["websocket"] });
    const stale = await connect(namespace, users.ann, { transports: ["websocket"] });
    await control("/roles", { organizationId: users.organizationId, userId: "ann", role: "employee" });
    const { code, reconnect } = await ann.next(closed);
    assert.deepEqual([code, reconnect], [4401, true]);
    assert.notEqual((await ann.next("disconnect")).reason, "io server disconnect");
    await ann.next("connect");
    assert.equal(asked, 2);
    const refreshed = await ann.ask(refresh, { accessToken: await login() });
    assert.equal(refreshed.ok, true, JSON.stringify(refreshed));
    assert.match(refreshed.expireTime, /Z$/);
    const { message, data } = await stale.next("connect_error");
    assert.deepEqual([message, data.reason], ["unauthorized", "TOKEN_REVOKED"]);
  });
}

test("binary attachments are rejected", async () => {
  const { ann, bob } = await withConversation({ transports: ["websocket"] });
  ann.emit("sendMessage", { content: Buffer.from("binary") });
  await ann.next("disconnect");
  assert.equal((await bob.ask("getConversations")).ok, true);
});
