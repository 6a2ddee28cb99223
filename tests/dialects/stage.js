// Who plays in these tests, and how they are heard: organizations and users of a test's own, and connections that keep
// all that they are told.

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

/** An organization, and users of it by id: `await company({ann: "manager", 101: "client"})`. */
export async function company(roles) {
  const { organizationId } = await control("/companies");
  const users = { organizationId };
  for (const [userId, role] of Object.entries(roles)) {
    const login = await control("/users", { organizationId, userId, role });
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

/** Keeps what is told, in order, and waits for what is to come. */
class Ear {
  constructor() {
    this.told = [];
    this.waiting = [];
  }

  tell(name, body) {
    this.told.push({ name, body });
    for (const check of [...this.waiting]) check();
  }

  /** The first that was told, or will be, of this name and like this; it isn't found again. */
  async heard(name, like = () => true, patience = PATIENCE_MS) {
    const matches = typeof like === "function" ? like : (body) => contains(body, like);
    const find = () => {
      const index = this.told.findIndex((one) => one.name === name && matches(one.body));
      return index < 0 ? undefined : this.told.splice(index, 1)[0].body;
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
        reject(new Error(`no ${name} came; there were: ${JSON.stringify(this.told).slice(0, 2_000)}`));
      }, patience);
      if (!check()) this.waiting.push(check);
    });
  }

  /** All bodies of this name that were told and not waited for. */
  all(name) {
    return this.told.filter((one) => one.name === name).map((one) => one.body);
  }
}

function contains(body, like) {
  return Object.entries(like).every(([key, value]) =>
    value !== null && typeof value === "object" ? contains(body[key] ?? {}, value) : body[key] === value,
  );
}

/** A Socket.IO client in a namespace, connected. */
export async function connect(namespace, user, options = {}) {
  const connection = start(namespace, user, options);
  await connection.heard("connect");
  return connection;
}

/** A Socket.IO client that is about to connect; `over` another one, on the same connection as that. */
export function start(namespace, user, { over, ...options } = {}) {
  const auth = { token: user.token };
  const socket = over
    ? over.socket.io.socket(namespace, { auth })
    : io(URL_ + namespace, { auth, forceNew: true, reconnectionDelay: 50, reconnectionDelayMax: 200, ...options });
  const ear = new Ear();
  socket.onAny((name, body) => ear.tell(name, body));
  socket.on("connect", () => ear.tell("connect", { id: socket.id }));
  socket.on("connect_error", (error) => ear.tell("connect_error", { message: error.message }));
  socket.on("disconnect", (reason) => ear.tell("disconnect", { reason }));
  open.add(() => socket.close());
  return Object.assign(ear, {
    socket,
    emit: (name, body) => socket.emit(name, body),
    ask: (name, body) => socket.timeout(PATIENCE_MS).emitWithAck(name, body),
  });
}

/** A bare WebSocket whose frames are JSON, named by `name`. */
export async function bare(path, protocols, name, headers = {}) {
  const socket = new WebSocket(URL_.replace("http", "ws") + path, protocols, { headers });
  const ear = new Ear();
  socket.on("message", (data) => {
    const frame = JSON.parse(data);
    ear.tell(name(frame), frame);
  });
  socket.on("close", (code, reason) => ear.tell("close", { code, reason: String(reason) }));
  open.add(() => socket.terminate());
  await new Promise((resolve, reject) => {
    socket.once("open", resolve);
    socket.once("error", reject);
  });
  return Object.assign(ear, { socket, send: (frame) => socket.send(JSON.stringify(frame)) });
}

/** A client of the helpdesk that has joined. */
export async function atDesk(user, more = {}) {
  const connection = await bare("/helpdesk", [], (frame) => frame.type);
  connection.send({ type: "user_join", userId: user.userId, token: user.token, ...more });
  connection.joined = await connection.heard("joined");
  return connection;
}

/** A client of Parley's own vocabulary. */
export async function native(user) {
  const token = Buffer.from(user.token).toString("base64url");
  const protocols = ["parley.v1.json", `base64url.bearer.authorization.parley.${token}`];
  const connection = await bare("/ws", protocols, (frame) => frame.event ?? `reply ${frame.id}`);
  await connection.heard("session.ready");
  let id = 0;
  connection.ask = async (op, body) => {
    id += 1;
    connection.send({ id, op, body });
    const reply = await connection.heard(`reply ${id}`);
    assert.ok(reply.ok, JSON.stringify(reply.error));
    return reply.ok;
  };
  return connection;
}

/** Asks again and again until something holds, which others are told of a moment later. */
export async function until(holds) {
  for (const end = Date.now() + PATIENCE_MS; !(await holds()); await pause(50)) {
    assert.ok(Date.now() < end, `not until now: ${holds}`);
  }
}

/** Waits until a user is seen to be online, by a client of Parley's own vocabulary. */
export const untilOnline = (native, userId) =>
  until(async () => (await native.ask("presence.get", { userIds: [userId] })).presences[0].status === "online");

/** Says something again and again, faster than is permitted, until the connection ends: what is told of its end. */
export async function flood(connection, say, end) {
  const ended = connection.heard(end);
  const isOver = ended.then(() => true, () => true);
  do {
    for (let n = 0; n < 1_000; n += 1) say();
  } while (!(await Promise.race([isOver, pause(100)])));
  return ended;
}

/** Requests that come from another address, as if from another machine. */
export const from = (localAddress) => ({ agent: new http.Agent({ localAddress, keepAlive: true }) });

export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export function closeAll() {
  for (const close of open) close();
  open.clear();
}

/** Whether an object has just these fields. */
export function hasFields(object, ...names) {
  assert.deepEqual(Object.keys(object).sort(), names.sort());
}
