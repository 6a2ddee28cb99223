// The harness of these tests: organizations and users for one test, and connections that record what they receive.

import assert from "node:assert/strict";
import http from "node:http";
import { io } from "socket.io-client";
import WebSocket from "ws";

export const URL_ = process.env.PARLEY_URL;
const CONTROL = process.env.PARLEY_CONTROL;
const PATIENCE_MS = 20_000;
const open = new Set();

export async function control(path, body = {}) {
  const response = await fetch(CONTROL + path, { method: "POST", body: JSON.stringify(body) });
  assert.equal(response.status, 200, await response.clone().text());
  return response.json();
}

/** Creates an organization, and returns its users by id: `await createCompany({ann: "manager", 101: "client"})`. */
export async function createCompany(roles) {
  const { organizationId } = await control("/companies");
  const users = { organizationId };
  for (const [userId, role] of Object.entries(roles)) {
    const login = await control("/users", { organizationId, userId, role });
    users.logins = { ...users.logins, [userId]: login };
    const { accessToken } = await rest("POST", "/api/auth/login", undefined, login);
    users[userId] = { userId, token: accessToken, organizationId };
  }
  return users;
}

export async function rest(method, path, user, body) {
  const response = await fetch(URL_ + path, {
    method,
    headers: { "content-type": "application/json", ...(user ? { authorization: `Bearer ${user.token}` } : {}) },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const answer = await response.json();
  assert.ok(response.ok, `${method} ${path}: ${JSON.stringify(answer)}`);
  return answer;
}

/** Records events in order, and waits for further ones. */
class Inbox {
  constructor() {
    this.received = [];
    this.waiting = [];
  }

  add(name, body) {
    this.received.push({ name, body });
    for (const check of [...this.waiting]) check();
  }

  /** Returns and removes the first event of a name that matches, received already or later. */
  async next(name, like = () => true, patience = PATIENCE_MS) {
    const matches = typeof like === "function" ? like : (body) => contains(body, like);
    const find = () => {
      const index = this.received.findIndex((one) => one.name === name && matches(one.body));
      return index < 0 ? undefined : this.received.splice(index, 1)[0].body;
    };
    return new Promise((resolve, reject) => {
      const check = () => {
        const found = find();
        if (found === undefined) return false;
        clearTimeout(timer);
        this.waiting = this.waiting.filter((one) => one !== check);
        resolve(found);
        return true;
      };
      const timer = setTimeout(() => {
        this.waiting = this.waiting.filter((one) => one !== check);
        reject(new Error(`no ${name} received; received: ${JSON.stringify(this.received).slice(0, 2_000)}`));
      }, patience);
      if (!check()) this.waiting.push(check);
    });
  }

  /** Returns the bodies of all events of a name that `next` has not removed. */
  all(name) {
    return this.received.filter((one) => one.name === name).map((one) => one.body);
  }
}

function contains(body, like) {
  return Object.entries(like).every(([key, value]) =>
    value !== null && typeof value === "object" ? contains(body[key] ?? {}, value) : body[key] === value,
  );
}

/** Connects a Socket.IO client to a namespace. */
export async function connect(namespace, user, options = {}) {
  const connection = start(namespace, user, options);
  await connection.next("connect");
  return connection;
}

/** Starts to connect a Socket.IO client; with `over`, on the connection of another client. */
export function start(namespace, user, { over, ...options } = {}) {
  const auth = user.auth ?? { token: user.token };
  const socket = over
    ? over.socket.io.socket(namespace, { auth })
    : io(URL_ + namespace, { auth, forceNew: true, reconnectionDelay: 50, reconnectionDelayMax: 200, ...options });
  const inbox = new Inbox();
  socket.onAny((name, body) => inbox.add(name, body));
  socket.on("connect", () => inbox.add("connect", { id: socket.id }));
  socket.on("connect_error", (error) => inbox.add("connect_error", { message: error.message, data: error.data }));
  socket.on("disconnect", (reason) => inbox.add("disconnect", { reason }));
  open.add(() => socket.close());
  return Object.assign(inbox, {
    socket,
    emit: (name, body) => socket.emit(name, body),
    ask: (name, body) => socket.timeout(PATIENCE_MS).emitWithAck(name, body),
  });
}

/** Connects a plain WebSocket with JSON frames; `name` returns the name of a frame. */
export async function connectWebSocket(path, protocols, name, headers = {}) {
  const socket = new WebSocket(URL_.replace("http", "ws") + path, protocols, { headers });
  const inbox = new Inbox();
  socket.on("message", (data) => {
    const frame = JSON.parse(data);
    inbox.add(name(frame), frame);
  });
  socket.on("close", (code, reason) => inbox.add("close", { code, reason: String(reason) }));
  open.add(() => socket.terminate());
  await new Promise((resolve, reject) => {
    socket.once("open", resolve);
    socket.once("error", reject);
  });
  return Object.assign(inbox, { socket, send: (frame) => socket.send(JSON.stringify(frame)) });
}

/** Connects and joins a client of the helpdesk. */
export async function joinHelpdesk(user, more = {}) {
  const connection = await connectWebSocket("/helpdesk", [], (frame) => frame.type);
  connection.send({ type: "user_join", userId: user.userId, token: user.token, ...more });
  connection.joined = await connection.next("joined");
  return connection;
}

/** Connects a client of Parley's native dialect. */
export async function native(user) {
  const token = Buffer.from(user.token).toString("base64url");
  const protocols = ["parley.v1.json", `base64url.bearer.authorization.parley.${token}`];
  const connection = await connectWebSocket("/ws", protocols, (frame) => frame.event ?? `reply ${frame.id}`);
  await connection.next("session.ready");
  let id = 0;
  connection.ask = async (op, body) => {
    id += 1;
    connection.send({ id, op, body });
    const reply = await connection.next(`reply ${id}`);
    assert.ok(reply.ok, JSON.stringify(reply.error));
    return reply.ok;
  };
  return connection;
}

/** Polls until a condition holds. */
export async function until(holds) {
  for (const end = Date.now() + PATIENCE_MS; !(await holds()); await pause(50)) {
    assert.ok(Date.now() < end, `never held: ${holds}`);
  }
}

/** Waits until a native client sees a user online. */
export const untilOnline = (native, userId) =>
  until(async () => (await native.ask("presence.get", { userIds: [userId] })).presences[0].status === "online");

/** Calls `say` faster than permitted until the event `end`, and returns that event. */
export async function flood(connection, say, end) {
  const ended = connection.next(end);
  const isOver = ended.then(() => true, () => true);
  do {
    for (let n = 0; n < 1_000; n += 1) say();
  } while (!(await Promise.race([isOver, pause(100)])));
  return ended;
}

/** Returns options for requests from another address, as if from another machine. */
export const from = (localAddress) => ({ agent: new http.Agent({ localAddress, keepAlive: true }) });

export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export function closeAll() {
  for (const close of open) close();
  open.clear();
}

/** Asserts that an object has exactly these fields. */
export function hasFields(object, ...names) {
  assert.deepEqual(Object.keys(object).sort(), names.sort());
}
