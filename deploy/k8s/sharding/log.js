// Shards chat's log, the only collection that grows without bound, in a MongoDB cluster:
//
//     mongosh "$ADMIN_URI_OF_MONGOS" deploy/k8s/sharding/log.js
//
// Run it after chat has started once, which creates the collection and its indexes. A conversation stays on one shard, so
// the unique index on (c, r), its fence, holds across shards, and so do the message ids derived from it. Idempotent.

sh.shardCollection("parley_chat.log", { c: 1 });
