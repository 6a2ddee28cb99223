// Spreads chat's log, the one collection that grows for ever, over the shards of a MongoDB cluster:
//
//     mongosh "$ADMIN_URI_OF_MONGOS" deploy/k8s/sharding/log.js
//
// Run it after chat has started once, which makes the collection and its indexes. A conversation stays on one shard:
// so its fence, the unique index on (c, r), holds everywhere, and so does the message id, which is made from it.
// Doing it again changes nothing.

sh.shardCollection("parley_chat.log", { c: 1 });
