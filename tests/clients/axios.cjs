const http = require("node:http");
const axios = require("axios"); // found through NODE_PATH

const [collection, counted, party, document] = process.argv.slice(2);
const client = axios.create({
  httpAgent: new http.Agent({ keepAlive: true }),
  proxy: false,
  responseType: "arraybuffer",
  validateStatus: () => true,
});

async function step(name, url, method = "GET", data = undefined, headers = {}) {
  const type = data === undefined ? {} : { "Content-Type": "application/json" };
  const response = await client.request({ url, method, data, headers: { ...type, ...headers } });
  const body = Buffer.from(response.data).toString("base64");
  console.log(JSON.stringify({ step: name, status: response.status, body }));
  return response.headers;
}

async function main() {
  const created = await step("create", collection, "POST", document);
  const match = { "If-Match": created.etag };
  await step("list", collection);
  await step("filter", `${collection}?relatedParty.id=${party}`);
  await step("patch", created.location, "PATCH", '{"description":"first"}', match);
  await step("stale patch", created.location, "PATCH", '{"description":"second"}', match);
  await step("too large", collection, "POST", `{"description":"${"x".repeat(3_000_000)}"}`);
  await step("reuse", counted);
  await step("reuse", counted);
  client.defaults.httpAgent.destroy();
}

main();
