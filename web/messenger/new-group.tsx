import { useEffect, useRef, useState } from "preact/hooks";
import type { ParleyClient, User } from "../client/src/index.js";
import { attempt, go } from "./model.js";
import { say } from "./preferences.js";
import { usePeople } from "./sidebar.js";

export function NewGroup({ parley, onClose }: { parley: ParleyClient; onClose: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [name, setName] = useState("");
  const [query, setQuery] = useState("");
  const [members, setMembers] = useState<User[]>([]);
  const people = usePeople(parley, query).filter((user) => !members.some((member) => member.userId === user.userId));
  useEffect(() => dialog.current?.showModal(), []);

  async function create(event: SubmitEvent) {
    event.preventDefault();
    const made = await attempt(parley.createGroup(name.trim(), members.map((member) => member.userId)));
    if (!made) return;
    onClose();
    go(made.conversationId);
  }

  return (
    <dialog ref={dialog} onClose={onClose} aria-label={say("newGroup")}>
      <form onSubmit={create}>
        <h2>{say("newGroup")}</h2>
        <label>{say("name")}<input value={name} onInput={(event) => setName(event.currentTarget.value)} required maxLength={200} /></label>
        <label>{say("addPeople")}<input type="search" value={query} onInput={(event) => setQuery(event.currentTarget.value)} /></label>
        <div class="found">
          {people.map((user) => (
            <button type="button" key={user.userId} onClick={() => { setMembers([...members, user]); setQuery(""); }}><bdi>{user.name}</bdi></button>
          ))}
        </div>
        <div class="chips" role="group" aria-label={say("groupMembers")}>
          {members.map((user) => (
            <button type="button" key={user.userId} aria-label={say("remove", { name: user.name })} onClick={() => setMembers(members.filter((one) => one !== user))}>
              <bdi>{user.name}</bdi> ×
            </button>
          ))}
        </div>
        <footer>
          <button type="button" onClick={onClose}>{say("cancel")}</button>
          <button type="submit" class="primary" disabled={!name.trim() || members.length === 0}>{say("create")}</button>
        </footer>
      </form>
    </dialog>
  );
}
