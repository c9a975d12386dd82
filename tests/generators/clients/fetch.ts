// Runs the scenario with the client that openapi-generator has made for typescript-fetch.
import { Configuration, PartyInteractionApi, ResponseError, @CREATE@FromJSON, @PATCH@FromJSON } from "./index";

async function status(call: Promise<unknown>): Promise<number> {
  try {
    await call;
    return 200;
  } catch (error) {
    if (error instanceof ResponseError) return error.response.status;
    throw error;
  }
}

async function main([base, create, change]: string[]): Promise<void> {
  const api = new PartyInteractionApi(new Configuration({ basePath: base }));
  const body = @CREATE@FromJSON(JSON.parse(create!));
  const made = await api.createPartyInteractionRaw({ @CREATE_NAME@: body });
  const { id } = await made.value();
  const ifMatch = made.raw.headers.get("etag")!;
  console.log(`create ${made.raw.status}`);
  const read = await api.retrievePartyInteractionRaw({ id: id! });
  console.log(`get ${read.raw.status} ${(await read.value()).reason}`);
  const listed = await api.listPartyInteractionRaw({ status: "opened", reason: body.reason, creationDateGte: "2026-01-01" });
  console.log(`list ${listed.raw.status} ${(await listed.value()).length}`);
  const patch = @PATCH@FromJSON(JSON.parse(change!));
  const changed = await api.patchPartyInteractionRaw({ id: id!, ifMatch, @PATCH_NAME@: patch });
  console.log(`patch ${changed.raw.status} ${(await changed.value()).description}`);
  console.log(`stale patch ${await status(api.patchPartyInteraction({ id: id!, ifMatch, @PATCH_NAME@: patch }))}`);
  const gone = await api.deletePartyInteractionRaw({ id: id! });
  console.log(`delete ${gone.raw.status}`);
  console.log(`missing ${await status(api.retrievePartyInteraction({ id: id! }))}`);
}

main(process.argv.slice(2));
