// Makes a Postman collection of a contract and runs its requests with newman: base, create, change.
const fs = require("fs");
const { createRequire } = require("module");
const required = createRequire(`${process.cwd()}/`);
const converter = required("openapi-to-postmanv2");
const newman = required("newman");

const [base, create, change, file] = process.argv.slice(2);
const reason = encodeURIComponent(JSON.parse(create).reason);

function requests(items) {
  return items.flatMap((each) => (each.item ? requests(each.item) : [each]));
}

function script(...lines) {
  return [{ listen: "test", script: { exec: lines } }];
}

// One request of the collection, with what a person would fill in.
function step(all, name, method, member, { query = [], body, header = [], keep = [] } = {}) {
  const found = all.find(({ request }) => {
    const path = request.url.path;
    const wanted = member ? "partyInteraction/:id" : "partyInteraction";
    return request.method === method && path.join("/").endsWith(wanted);
  });
  const made = JSON.parse(JSON.stringify(found));
  made.name = name;
  made.request.header = (made.request.header || []).filter(({ key }) => !key.startsWith("If-")).concat(header);
  made.request.url.query = query;
  if (member) made.request.url.variable = [{ key: "id", value: "{{id}}" }];
  if (body) made.request.body.raw = body;
  made.event = script(...keep);
  return made;
}

converter.convert({ type: "string", data: fs.readFileSync(file, "utf8") }, {}, (error, result) => {
  if (error || !result.result) throw error || new Error(result.reason);
  const collection = result.output[0].data;
  const all = requests(collection.item);
  const tag = [{ key: "If-Match", value: "{{tag}}" }];
  collection.variable = [{ key: "baseUrl", value: base }];
  collection.item = [
    step(all, "create", "POST", false, {
      body: create,
      keep: [
        "pm.collectionVariables.set('id', pm.response.json().id);",
        "pm.collectionVariables.set('tag', pm.response.headers.get('ETag'));",
      ],
    }),
    step(all, "get", "GET", true),
    step(all, "list", "GET", false, {
      query: [
        { key: "status", value: "opened" },
        { key: "reason", value: reason },
        { key: "creationDate.gte", value: "2026-01-01" },
      ],
    }),
    step(all, "patch", "PATCH", true, { body: change, header: tag }),
    step(all, "stale patch", "PATCH", true, { body: change, header: tag }),
    step(all, "delete", "DELETE", true),
    step(all, "missing", "GET", true),
  ];
  newman.run({ collection, reporters: [] }, (failed, summary) => {
    if (failed) throw failed;
    for (const { item, response } of summary.run.executions) {
      const body = response.stream.length ? JSON.parse(response.stream.toString()) : {};
      const seen = { get: body.reason, list: body.length, patch: body.description }[item.name];
      console.log([item.name, response.code, seen].filter((each) => each !== undefined).join(" "));
    }
  });
});
