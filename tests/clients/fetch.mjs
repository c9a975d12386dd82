const [collection, counted, party, document] = process.argv.slice(2);

async function step(name, url, method = "GET", body = undefined, headers = {}) {
  const type = body === undefined ? {} : { "Content-Type": "application/json" };
  const response = await fetch(url, { method, body, headers: { ...type, ...headers } });
  const bytes = Buffer.from(await response.arrayBuffer());
  console.log(JSON.stringify({ step: name, status: response.status, body: bytes.toString("base64") }));
  return response.headers;
}

const created = await step("create", collection, "POST", document);
const resource = created.get("location");
const match = { "If-Match": created.get("etag") };
await step("list", collection);
await step("filter", `${collection}?relatedParty.id=${party}`);
await step("patch", resource, "PATCH", '{"description":"first"}', match);
await step("stale patch", resource, "PATCH", '{"description":"second"}', match);
await step("too large", collection, "POST", `{"description":"${"x".repeat(3_000_000)}"}`);
await step("reuse", counted);
// fetch returns a connection to its pool one turn of the event loop after the body has ended.
await new Promise(setImmediate);
await step("reuse", counted);
