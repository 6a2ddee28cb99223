export { type Change, type ClientOptions, type Draft, ParleyClient } from "./client.js";
export { Connection, type Op, type Status } from "./connection.js";
export * from "./contract.js";
export { Outbox, type OutboxEntry, type OutboxStore } from "./outbox.js";
export { type ErrorObject, type Events, ParleyError, type ServerEvent, type SessionReady } from "./protocol.js";
export { EmbeddedSession, memoryTokens, Session, type TokenSource, type TokenStore } from "./session.js";
export { Thread } from "./thread.js";
