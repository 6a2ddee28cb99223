// What the TypeScript client promises, against the stack at PARLEY_URL. Run by test_client.py.
import assert from "node:assert/strict";
import { after, test } from "node:test";

const { ParleyClient, ParleyError, Session } = await import(process.env.PARLEY_CLIENT);
const url = process.env.PARLEY_URL;
const open = new Set();

async function signIn(user, outbox) {
  const session = new Session(url);
  await session.signIn(`${user}@demo.example`, process.env.PARLEY_PASSWORD);
  const client = new ParleyClient({ url, tokens: session, outbox });
  open.add(client);
  client.start();
  await until(() => client.status === "online" && client.conversations);
  return Object.assign(client, { tokens: session });
}

async function until(isTrue, what = isTrue.toString()) {
  for (let tries = 0; tries < 600; tries++) {
    const value = isTrue();
    if (value) return value;
    await new Promise((wake) => setTimeout(wake, 50));
  }
  assert.fail(`never: ${what}`);
}

async function pair() {
  const [ann, bob] = await Promise.all([signIn("manager"), signIn("lead")]);
  const group = await ann.createGroup(`Group ${crypto.randomUUID()}`, [bob.userId]);
  await until(() => bob.conversations.has(group.conversationId));
  const id = group.conversationId;
  await Promise.all([ann.openThread(id), bob.openThread(id)]);
  return { ann, bob, id, texts: (client) => client.threads.get(id).messages.map((message) => message.text) };
}

after(() => open.forEach((client) => client.stop()));

test("messages arrive in order, each once", async () => {
  const { ann, bob, id, texts } = await pair();
  const sent = Array.from({ length: 8 }, (_, n) => `message ${n}`);
  for (const text of sent) ann.send(id, { text });
  await until(() => texts(bob).length === sent.length && ann.outbox.size === 0);
  assert.deepEqual(texts(bob), sent);
  assert.deepEqual(texts(ann), sent);
  assert.equal(bob.conversations.get(id).unreadCount, sent.length);
});

test("what is written offline is sent once, and what was missed is caught up with", async () => {
  const { ann, bob, id, texts } = await pair();
  ann.send(id, { text: "before" });
  await until(() => texts(bob).length === 1 && ann.outbox.size === 0);
  bob.stop();
  const kept = bob.send(id, { text: "from offline" });
  assert.equal(bob.outbox.entriesOf(id)[0].clientMessageId, kept.clientMessageId);
  ann.send(id, { text: "missed" });
  await until(() => ann.outbox.size === 0);
  await ann.change("message.edit", { conversationId: id, messageId: ann.threads.get(id).messages[0].messageId, text: "edited" });
  bob.start();
  await until(() => bob.outbox.size === 0 && texts(bob).length === 3 && texts(ann).length === 3);
  assert.deepEqual(texts(bob), ["edited", "missed", "from offline"]);
  assert.deepEqual(texts(ann), texts(bob));
});

test("a message that was sent before its reply was lost is not sent twice", async () => {
  const { ann, bob, id, texts } = await pair();
  const entry = ann.send(id, { text: "once" });
  await until(() => texts(bob).length === 1 && ann.outbox.size === 0);
  ann.outbox.add({ ...entry }); // As after a reload between the write and the reply.
  await until(() => ann.outbox.size === 0);
  ann.send(id, { text: "after" });
  await until(() => texts(bob).length === 2);
  assert.deepEqual(texts(bob), ["once", "after"]);
  assert.deepEqual(texts(ann), ["once", "after"]);
});

test("a refusal that cannot pass later is kept, not repeated", async () => {
  const { ann, id } = await pair();
  ann.send(id, { text: "x".repeat(20_000) });
  const [entry] = await until(() => ann.outbox.entriesOf(id)[0]?.error && ann.outbox.entriesOf(id));
  assert.match(entry.error, /^[A-Z_]+$/);
  ann.send(id, { text: "goes past it" });
  await until(() => ann.threads.get(id).messages.length === 1);
  ann.outbox.remove(entry.clientMessageId);
  assert.equal(ann.outbox.size, 0);
});

test("history loads page by page without holes", async () => {
  const { ann, bob, id } = await pair();
  const count = 120;
  for (let n = 1; n <= count; n++) ann.send(id, { text: `${n}` });
  await until(() => ann.outbox.size === 0);
  bob.threads.delete(id);
  const thread = await bob.openThread(id);
  assert.equal(thread.firstSeq, count - 49);
  await bob.loadOlder(id);
  await bob.loadOlder(id);
  assert.equal(thread.hasOlder, false);
  assert.deepEqual(thread.messages.map((message) => message.text), Array.from({ length: count }, (_, n) => `${n + 1}`));
});

test("tokens are refreshed, and a signed-out session says so", async () => {
  const ann = await signIn("manager");
  const first = await ann.tokens.accessToken(false);
  assert.notEqual(await ann.tokens.accessToken(true), first);
  await ann.tokens.signOut();
  await until(() => ann.status === "signed-out");
  await assert.rejects(ann.tokens.accessToken(false), (error) => error instanceof ParleyError && error.code === "UNAUTHENTICATED");
});
