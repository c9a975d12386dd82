// A ticket API with express, as somebody else would write it, with faults that can be switched on.
//
// PUT /fault with {"name": …} switches one on, and removes all tickets; an empty name, none.
// It prints its port when it listens.

const express = require("express");
const { randomUUID } = require("node:crypto");

const BASE = "/tmf-api/ticket/v1";
const PROPERTIES = { name: "string", severity: "string", priority: "integer", open: "boolean", note: "array" };
const MANDATORY = ["name", "severity"];
const SEVERITIES = ["low", "high"];

let fault, tickets, versions, hubs;

function reset(name) {
  fault = name;
  tickets = new Map();
  versions = new Map();
  hubs = new Map();
}
reset("");

class Refused extends Error {
  constructor(status, reason) {
    super(reason);
    this.status = status;
  }
}

function typeOf(value) {
  if (Array.isArray(value)) return "array";
  return Number.isInteger(value) ? "integer" : typeof value;
}

function checked(body, mandatory) {
  if (fault !== "required not enforced") {
    const lacking = mandatory.filter((name) => !(name in body));
    if (lacking.length) throw new Refused(400, `${lacking} missing`);
  }
  for (const [name, type] of Object.entries(PROPERTIES)) {
    if (name in body && typeOf(body[name]) !== type && fault !== "type not enforced")
      throw new Refused(400, `${name} is no ${type}`);
  }
  const severity = body.severity;
  if (typeof severity === "string" && !SEVERITIES.includes(severity) && fault !== "enum not enforced")
    throw new Refused(400, `severity is not one of ${SEVERITIES}`);
  return body;
}

function found(id) {
  if (tickets.has(id)) return tickets.get(id);
  if (fault === "unknown id found") return tickets.values().next().value;
  throw new Refused(404, `no ticket ${id}`);
}

function tagOf(ticket) {
  return fault === "ETag not changing" ? '"0"' : `"${versions.get(ticket.id)}"`;
}

function answer(response, ticket, status = 200) {
  const shown = { ...ticket };
  if (fault === "href missing") delete shown.href;
  response.status(status).set("ETag", tagOf(ticket));
  if (fault === "content type") response.type("text/plain").send(JSON.stringify(shown));
  else response.json(shown);
}

function tell(kind, ticket) {
  if (fault === "event not delivered" || fault === `${kind} event not delivered`) return;
  const event = {
    eventId: randomUUID(),
    eventTime: new Date().toISOString(),
    eventType: `Ticket${kind}Event`,
    event: { ticket: { ...ticket } },
  };
  if (fault === "event without time") delete event.eventTime;
  for (const callback of hubs.values()) {
    if (!callback.includes("127.0.0.1")) continue;
    const headers = { "Content-Type": "application/json" };
    fetch(callback, { method: "POST", headers, body: JSON.stringify(event) }).catch(() => {});
  }
}

function selected(ticket, fields) {
  if (!fields) return ticket;
  const names = ["id", "href", ...fields.split(",")];
  return Object.fromEntries(Object.entries(ticket).filter(([name]) => names.includes(name)));
}

const app = express();
app.set("etag", false);
app.use(express.json({ type: ["application/json", "application/*+json"] }));

app.put("/fault", (request, response) => {
  reset(request.body.name);
  response.status(204).end();
});

app.post(`${BASE}/ticket`, (request, response) => {
  const body = checked(request.body, MANDATORY);
  const id = randomUUID();
  const ticket = { ...body, id, href: `${BASE}/ticket/${id}` };
  if (fault === "value changed") ticket.name = String(ticket.name).toUpperCase();
  tickets.set(id, ticket);
  versions.set(id, 1);
  tell("Create", ticket);
  if (fault !== "Location missing") response.set("Location", ticket.href);
  answer(response, ticket, fault === "creation answered 200" ? 200 : 201);
});

app.get(`${BASE}/ticket`, (request, response) => {
  const { fields, offset = 0, limit = 100, sort = "", ...wanted } = request.query;
  const filters = fault === "filter ignored" ? [] : Object.entries(wanted);
  let list = [...tickets.values()].filter((each) =>
    filters.every(([name, value]) => String(each[name]) === value),
  );
  if (sort && fault !== "sort ignored") {
    const name = sort.replace(/^-/, "");
    list.sort((a, b) => (String(a[name]) < String(b[name]) ? -1 : 1));
    if (sort.startsWith("-")) list.reverse();
  }
  response.set("X-Total-Count", String(fault === "total wrong" ? tickets.size : list.length));
  list = list.slice(fault === "offset ignored" ? 0 : Number(offset));
  if (fault !== "limit ignored") list = list.slice(0, Number(limit));
  response.set("X-Result-Count", String(list.length));
  const shown = list.map((each) => selected(each, fields));
  response.json(fault === "list in an object" ? { items: shown } : shown);
});

app.get(`${BASE}/ticket/:id`, (request, response) => {
  const ticket = found(request.params.id);
  const known = request.get("If-None-Match") === tagOf(ticket);
  if (fault === "If-None-Match ignored") delete request.headers["if-none-match"]; // express looks too
  else if (known) return response.status(304).end();
  answer(response, selected(ticket, fault === "fields ignored" ? "" : request.query.fields));
});

app.patch(`${BASE}/ticket/:id`, (request, response) => {
  let ticket = found(request.params.id);
  const { id, href, name, severity } = ticket;
  const tag = request.get("If-Match");
  if (tag && tag !== tagOf(ticket) && fault !== "If-Match ignored")
    throw new Refused(412, "the ticket is of another version");
  const type = request.get("Content-Type");
  if (type === "application/merge-patch+json" && fault === "merge patch refused")
    throw new Refused(415, "not understood");
  let body = request.body;
  if (type === "application/json-patch+json")
    body = Object.fromEntries(body.map((each) => [each.path.slice(1), each.value]));
  checked(body, []);
  if (fault === "patch replaces") ticket = { id, href, name, severity, ...body };
  else if (fault !== "patch ignored") ticket = { ...ticket, ...body };
  tickets.set(id, ticket);
  versions.set(id, versions.get(id) + 1);
  tell("AttributeValueChange", ticket);
  answer(response, ticket);
});

app.delete(`${BASE}/ticket/:id`, (request, response) => {
  const ticket = found(request.params.id);
  if (fault !== "delete ignored") tickets.delete(ticket.id);
  tell("Delete", ticket);
  response.status(204).end();
});

app.post(`${BASE}/hub`, (request, response) => {
  const { callback = "" } = request.body;
  if (!callback && fault !== "hub without callback") throw new Refused(400, "callback missing");
  const id = randomUUID();
  hubs.set(id, callback);
  response.status(201).json({ ...request.body, id, callback });
});

app.delete(`${BASE}/hub/:id`, (request, response) => {
  if (!hubs.has(request.params.id)) throw new Refused(404, `no subscription ${request.params.id}`);
  if (fault !== "unregister ignored") hubs.delete(request.params.id);
  response.status(204).end();
});

app.post(`${BASE}/listener/:name`, (request, response) => response.status(204).end());

app.use((error, request, response, next) => {
  const status = error.status || 500;
  const body = { code: String(status), reason: error.message };
  if (fault === "error without code") delete body.code;
  response.status(status).json(body);
});

const server = app.listen(0, "127.0.0.1", () => console.log(server.address().port));
