// The usual chat server: Express, Socket.IO with the Redis adapter, Mongoose. Written fairly: WebSocket only, indexes,
// lean reads, concurrent writes where possible, and the same durability as Parley (majority, journaled).
import { createServer } from "node:http";
import { createAdapter } from "@socket.io/redis-adapter";
import express from "express";
import jwt from "jsonwebtoken";
import mongoose from "mongoose";
import { createClient } from "redis";
import { Server } from "socket.io";

const { PORT, MONGODB_URI, MONGODB_DATABASE, REDIS_URL, JWT_SECRET } = process.env;

const durable = { writeConcern: { w: "majority", j: true } };
const Conversation = mongoose.model(
  "Conversation",
  new mongoose.Schema(
    { _id: String, participants: [String], lastMessage: String, lastMessageAt: Date, unread: { type: Map, of: Number } },
    { ...durable, versionKey: false },
  ).index({ participants: 1, lastMessageAt: -1 }),
);
const Message = mongoose.model(
  "Message",
  new mongoose.Schema(
    { conversationId: String, senderId: String, content: String, messageType: String, createdAt: { type: Date, default: Date.now } },
    { ...durable, versionKey: false },
  ).index({ conversationId: 1, createdAt: -1 }),
);

await mongoose.connect(MONGODB_URI, { dbName: MONGODB_DATABASE, readConcernLevel: "majority" });
await Promise.all([Conversation.init(), Message.init()]);
const publisher = createClient({ url: REDIS_URL });
const subscriber = publisher.duplicate();
await Promise.all([publisher.connect(), subscriber.connect()]);

const app = express();
app.get("/healthz", (request, response) => response.json({ ok: true }));
const server = createServer(app);
const io = new Server(server, { transports: ["websocket"], adapter: createAdapter(publisher, subscriber) });

io.use((socket, next) => {
  try {
    socket.data.userId = jwt.verify(socket.handshake.auth.token, JWT_SECRET).sub;
    next();
  } catch {
    next(new Error("unauthorized"));
  }
});

io.on("connection", (socket) => {
  const { userId } = socket.data;
  socket.join(`user:${userId}`);

  socket.on("getOrCreateConversation", async ({ targetUserId }, acknowledge) => {
    const participants = [userId, targetUserId].sort();
    const conversationId = participants.join("-");
    await Conversation.updateOne({ _id: conversationId }, { $setOnInsert: { participants } }, { upsert: true });
    acknowledge({ ok: true, conversationId });
  });

  socket.on("createGroup", async ({ memberIds }, acknowledge) => {
    const conversationId = new mongoose.Types.ObjectId().toString();
    await Conversation.create({ _id: conversationId, participants: [userId, ...memberIds] });
    acknowledge({ ok: true, conversationId });
  });

  socket.on("sendMessage", async ({ conversationId, content, messageType }, acknowledge) => {
    try {
      const conversation = await Conversation.findOne({ _id: conversationId, participants: userId }).lean();
      if (!conversation) return acknowledge({ ok: false, error: { code: "NOT_FOUND" } });
      const message = new Message({ conversationId, senderId: userId, content, messageType });
      const others = conversation.participants.filter((other) => other !== userId);
      const counts = Object.fromEntries(others.map((other) => [`unread.${other}`, 1]));
      await Promise.all([
        message.save(),
        Conversation.updateOne(
          { _id: conversationId },
          { $set: { lastMessage: content, lastMessageAt: message.createdAt }, $inc: counts },
        ),
      ]);
      io.to(conversation.participants.map((participant) => `user:${participant}`)).emit("newMessage", message.toObject());
      acknowledge({ ok: true, messageId: message.id });
    } catch (error) {
      acknowledge({ ok: false, error: { code: "INTERNAL", message: String(error) } });
    }
  });
});

server.listen(Number(PORT), "127.0.0.1");
process.on("SIGTERM", () => process.exit(0));
