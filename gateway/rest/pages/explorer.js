// The page to try the API with: reads the OpenAPI document, lists its operations, and makes a form of each.

import { showAccount, token } from "./account.js";
import { byId, element } from "./dom.js";
import { curl, fill, send } from "./request.js";
import { fieldsOf, resolve, sample, typeText } from "./schema.js";

let api;

function operations() {
  return Object.entries(api.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), ...operation })),
  );
}

function showIndex() {
  const wanted = byId("filter").value.toLowerCase();
  const current = location.hash.slice(1);
  const found = operations().filter(({ path, summary }) => `${path} ${summary}`.toLowerCase().includes(wanted));
  byId("groups").replaceChildren(
    ...api.tags.flatMap(({ name }) => {
      const links = found.filter(({ tags }) => tags.includes(name)).map((operation) => link(operation, current));
      return links.length ? [element("h2", {}, name), ...links] : [];
    }),
  );
}

function link({ operationId, method, path, summary }, current) {
  return element(
    "a",
    { href: `#${operationId}`, title: summary, "aria-current": operationId === current && "page" },
    methodBadge(method),
    element("span.path", {}, path.replace(/^\/api/, "").replace(/{\w+}/, "{id}")),
  );
}

const methodBadge = (method) => element(`span.method.${method.toLowerCase()}`, {}, method === "DELETE" ? "DEL" : method);

function showOperation() {
  const all = operations();
  const operation = all.find(({ operationId }) => `#${operationId}` === location.hash) ?? all[0];
  const form = element("form", { onsubmit: (event) => perform(event, operation, form) }, ...inputs(operation));
  byId("operation").replaceChildren(
    element("h1", {}, methodBadge(operation.method), operation.path),
    element("p.summary", {}, operation.summary),
    form,
    element("div", { id: "answer", "aria-live": "polite" }),
    answersOf(operation),
  );
  byId("operation").scrollTop = 0;
}

function inputs(operation) {
  const schema = bodySchema(operation);
  return [
    ...(operation.parameters?.length ? [element("h2", {}, "Parameters"), ...operation.parameters.map(field)] : []),
    ...(schema ? bodyInputs(schema) : []),
    element(
      "div.send",
      {},
      element("button.button.main", {}, "Send"),
      element("span.quiet", {}, operation.security.length ? "Takes an access token: sign in above." : "Takes no access token."),
    ),
  ];
}

const bodySchema = (operation) => operation.requestBody?.content["application/json"].schema;

function field({ name, in: place, required, schema, description }) {
  const id = `parameter-${name}`;
  return element(
    "div.field",
    {},
    element(`label${required ? ".required" : ""}`, { for: id }, name),
    input(id, place, required, resolve(api, schema)),
    element("span.note", {}, [typeText(api, schema), description].filter(Boolean).join(". ")),
  );
}

function input(id, place, required, schema) {
  const attributes = { id, "data-place": place, required };
  const choices = schema.enum ?? (schema.type === "boolean" ? ["true", "false"] : null);
  if (choices) return element("select", attributes, ...["", ...choices].map((choice) => element("option", {}, choice)));
  const type = schema.type === "integer" ? "number" : "text";
  return element("input", { ...attributes, type, placeholder: schema.default ?? "", autocomplete: "off" });
}

function bodyInputs(schema) {
  const text = JSON.stringify(sample(api, schema), null, 2);
  return [
    element("h2", {}, "Body"),
    element("textarea", { id: "body", rows: Math.max(4, text.split("\n").length + 1), spellcheck: "false", "aria-label": "Body, as JSON" }, text),
    fieldTable(schema, "Fields"),
  ];
}

function fieldTable(schema, title) {
  const rows = fieldsOf(api, schema).map(({ name, schema: inner, required }) =>
    element(
      "tr",
      {},
      element("td.mono", {}, name + (required ? " *" : "")),
      element("td", {}, typeText(api, inner)),
      element("td.quiet", {}, inner.description ?? ""),
    ),
  );
  return rows.length ? element("details", {}, element("summary", {}, title), element("table", {}, ...rows)) : "";
}

function answersOf(operation) {
  const rows = Object.entries(operation.responses).map(([status, { description }]) =>
    element("tr", {}, element("td.mono", {}, status), element("td", {}, description)),
  );
  const success = Object.values(operation.responses)[0].content["application/json"]?.schema;
  return element(
    "section",
    {},
    element("h2", {}, "Answers"),
    element("table", {}, ...rows),
    success ? fieldTable(success, "Fields of the answer") : "",
  );
}

async function perform(event, operation, form) {
  event.preventDefault();
  const parameters = [...form.querySelectorAll("[data-place]")].map(({ id, dataset, value }) => ({
    name: id.replace("parameter-", ""),
    place: dataset.place,
    value,
  }));
  const request = {
    method: operation.method,
    path: fill(operation.path, parameters),
    token: operation.security.length ? token() : "",
    body: form.querySelector("#body")?.value ?? "",
  };
  const button = form.querySelector("button");
  button.disabled = true;
  try {
    showAnswer(request, await send(request));
  } catch {
    byId("answer").replaceChildren(element("p.quiet", {}, "The server can't be reached."));
  } finally {
    button.disabled = false;
  }
}

function showAnswer(request, answer) {
  byId("answer").replaceChildren(
    element(
      "div.answer",
      {},
      element(
        "div.line",
        {},
        element(`span.status.${answer.ok ? "good" : "bad"}`, {}, `${answer.status} ${answer.statusText}`),
        element("span.quiet", {}, `${answer.milliseconds} ms`),
        element("span.quiet", {}, answer.retryAfter && `retry after ${answer.retryAfter} s`),
        element("span.quiet.mono", {}, answer.requestId && `request ${answer.requestId}`),
      ),
      element("pre", {}, answer.text),
    ),
    element("details", {}, element("summary", {}, "As a command"), element("pre.curl", {}, curl(request))),
  );
  byId("answer").scrollIntoView({ block: "nearest" });
}

function show() {
  showIndex();
  showOperation();
}

async function start() {
  showAccount();
  try {
    api = await (await fetch("/openapi.json")).json();
  } catch {
    byId("operation").replaceChildren(element("p", {}, "The OpenAPI document can't be read; is the server up?"));
    return;
  }
  byId("version").textContent = api.info.version;
  byId("filter").addEventListener("input", showIndex);
  addEventListener("hashchange", show);
  if (!location.hash) history.replaceState(null, "", `#${operations()[0].operationId}`);
  show();
}

start();
