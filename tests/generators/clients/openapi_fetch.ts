// Runs the scenario with openapi-fetch and the types that openapi-typescript has made.
import createClient from "openapi-fetch";
import type { components, paths } from "./types";

async function main([base, create, change]: string[]): Promise<void> {
  const api = createClient<paths>({ baseUrl: base });
  const body: components["schemas"]["@CREATE_SCHEMA@"] = JSON.parse(create!);
  const made = await api.POST("/partyInteraction", { body });
  const path = { id: made.data!.id! };
  const header = { "If-Match": made.response.headers.get("etag")! };
  console.log(`create ${made.response.status}`);
  const read = await api.GET("/partyInteraction/{id}", { params: { path } });
  console.log(`get ${read.response.status} ${read.data!.reason}`);
  const listed = await api.GET("/partyInteraction", {
    params: { query: { status: "opened", reason: body.reason, "creationDate.gte": "2026-01-01" } },
  });
  console.log(`list ${listed.response.status} ${listed.data!.length}`);
  const patch: components["schemas"]["@PATCH_SCHEMA@"] = JSON.parse(change!);
  const changed = await api.PATCH("/partyInteraction/{id}", { params: { path, header }, body: patch });
  console.log(`patch ${changed.response.status} ${changed.data!.description}`);
  const stale = await api.PATCH("/partyInteraction/{id}", { params: { path, header }, body: patch });
  console.log(`stale patch ${stale.response.status}`);
  const gone = await api.DELETE("/partyInteraction/{id}", { params: { path } });
  console.log(`delete ${gone.response.status}`);
  const missing = await api.GET("/partyInteraction/{id}", { params: { path } });
  console.log(`missing ${missing.response.status}`);
}

main(process.argv.slice(2));
