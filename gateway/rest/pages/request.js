// Sends requests, and writes them as a command line.

/**
 * A request as it goes out.
 * @typedef {{method: string, path: string, token: string, body: string}} Outgoing
 */

/** The path with its parameters filled in, and the query with those that were given. */
export function fill(path, parameters) {
  const query = new URLSearchParams();
  for (const { name, place, value } of parameters) {
    if (place === "path") path = path.replace(`{${name}}`, encodeURIComponent(value));
    else if (value !== "") query.append(name, value);
  }
  return query.size ? `${path}?${query}` : path;
}

/** Sends a request; the answer's body is a text, laid out when it is JSON. */
export async function send({ method, path, token, body }) {
  const began = performance.now();
  const response = await fetch(path, {
    method,
    headers: headersOf(token, body),
    body: body || undefined,
    credentials: "omit",
  });
  const text = await response.text();
  return {
    status: response.status,
    statusText: response.statusText,
    ok: response.ok,
    requestId: response.headers.get("x-request-id") ?? "",
    retryAfter: response.headers.get("retry-after") ?? "",
    milliseconds: Math.round(performance.now() - began),
    text: laidOut(text),
    json: parsed(text),
  };
}

function headersOf(token, body) {
  return {
    Accept: "application/json",
    ...(token && { Authorization: `Bearer ${token}` }),
    ...(body && { "Content-Type": "application/json" }),
  };
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const laidOut = (text) => (parsed(text) === undefined ? text : JSON.stringify(parsed(text), null, 2));

/** The request for a terminal; the token is left to the reader's shell. */
export function curl({ method, path, token, body }) {
  const quoted = (text) => `'${text.replaceAll("'", `'\\''`)}'`;
  return [
    `curl${method === "GET" ? "" : ` -X ${method}`} ${quoted(location.origin + path)}`,
    token && `-H "Authorization: Bearer $TOKEN"`,
    body && `-H 'Content-Type: application/json'`,
    body && `-d ${quoted(body)}`,
  ]
    .filter(Boolean)
    .join(" \\\n  ");
}
