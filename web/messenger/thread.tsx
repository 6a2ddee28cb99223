import { useEffect, useRef, useState } from "preact/hooks";
import { type Conversation, ParleyError, type ParleyClient } from "../client/src/index.js";
import { Composer, type Task } from "./composer.js";
import { Log } from "./log.js";
import { attempt, follow, go, isMuted, nameOf, peerOf, titleOf } from "./model.js";
import { Avatar, Icon, IconButton, presenceWord } from "./parts.js";
import { say } from "./preferences.js";

const FOREVER = "9999-12-31T23:59:59.000Z";

export function ThreadPane({ parley, conversationId }: { parley: ParleyClient; conversationId: string }) {
  follow();
  const [missing, setMissing] = useState(false);
  const [task, setTask] = useState<Task>(null);
  useEffect(() => {
    parley.openThread(conversationId).catch((error) => {
      if (error instanceof ParleyError && !error.isTemporary && error.code !== "CANCELLED") setMissing(true);
    });
  }, [conversationId, parley]);

  const conversation = parley.conversations.get(conversationId);
  if (!conversation) {
    return (
      <main class="thread nothing">
        <IconButton icon="back" label={say("back")} class="back" onClick={() => go("")} />
        <p>{missing ? say("gone") : say("loading")}</p>
      </main>
    );
  }
  const typing = [...(parley.typing.get(conversationId) ?? [])];
  const actions = {
    reply: (message: NonNullable<Task>["message"]) => setTask({ kind: "reply", message }),
    edit: (message: NonNullable<Task>["message"]) => setTask({ kind: "edit", message }),
  };
  return (
    <main class="thread">
      <Header parley={parley} conversation={conversation} />
      <Log parley={parley} conversation={conversation} actions={actions} />
      <p class="typing" role="status">
        {typing.length === 1 ? say("typingOne", { name: nameOf(parley, typing[0] ?? "") }) : typing.length > 1 ? say("typingMany") : ""}
      </p>
      <Composer parley={parley} conversation={conversation} task={task} onTask={setTask} />
    </main>
  );
}

function Header({ parley, conversation }: { parley: ParleyClient; conversation: Conversation }) {
  follow();
  const menu = useRef<HTMLDetailsElement>(null);
  const { conversationId, archived } = conversation;
  const peer = peerOf(parley, conversation);
  const title = titleOf(parley, conversation);
  const muted = isMuted(conversation);
  const others = conversation.members?.map((member) => nameOf(parley, member.userId)).join(", ") ?? say("members", { n: conversation.memberCount });

  function change(fields: { archived?: boolean; mutedUntil?: string | null }) {
    menu.current?.removeAttribute("open");
    void attempt(parley.updateConversation({ conversationId, ...fields }));
  }

  return (
    <header>
      <IconButton icon="back" label={say("back")} class="back" onClick={() => go("")} />
      <Avatar parley={parley} userId={peer} name={title} />
      <div class="who"><h1><bdi>{title}</bdi></h1><span class="muted"><bdi>{peer ? presenceWord(parley, peer) : others}</bdi></span></div>
      <details class="more" ref={menu} onKeyDown={(event) => event.key === "Escape" && menu.current?.removeAttribute("open")}>
        <summary aria-label={say("more")} title={say("more")}><Icon name="more" /></summary>
        <div class="menu">
          <button type="button" onClick={() => change({ mutedUntil: muted ? null : FOREVER })}>{muted ? say("unmute") : say("mute")}</button>
          <button type="button" onClick={() => change({ archived: !archived })}>{archived ? say("unarchive") : say("archive")}</button>
        </div>
      </details>
    </header>
  );
}
