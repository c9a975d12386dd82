import org.openapitools.client.ApiClient;
import org.openapitools.client.ApiException;
import org.openapitools.client.ApiResponse;
import org.openapitools.client.api.PartyInteractionApi;
import org.openapitools.client.model.@CREATE@;
import org.openapitools.client.model.@PATCH@;
import org.openapitools.client.model.PartyInteraction;
import java.util.List;

/** Runs the scenario with the client that openapi-generator has made for Java. */
public class Client {
  public static void main(String[] args) throws Exception {
    ApiClient client = new ApiClient();
    client.updateBaseUri(args[0]);
    PartyInteractionApi api = new PartyInteractionApi(client);
    @CREATE@ body = client.getObjectMapper().readValue(args[1], @CREATE@.class);
    ApiResponse<PartyInteraction> made = api.createPartyInteractionWithHttpInfo(
        PartyInteractionApi.APICreatePartyInteractionRequest.newBuilder().@CREATE_NAME@(body).build());
    String id = made.getData().getId();
    String tag = made.getHeaders().get("etag").get(0);
    System.out.println("create " + made.getStatusCode());
    ApiResponse<PartyInteraction> read = api.retrievePartyInteractionWithHttpInfo(
        PartyInteractionApi.APIRetrievePartyInteractionRequest.newBuilder().id(id).build());
    System.out.println("get " + read.getStatusCode() + " " + read.getData().getReason());
    ApiResponse<List<PartyInteraction>> listed = api.listPartyInteractionWithHttpInfo(
        PartyInteractionApi.APIListPartyInteractionRequest.newBuilder()
            .status("opened").reason(body.getReason()).creationDateGte("2026-01-01").build());
    System.out.println("list " + listed.getStatusCode() + " " + listed.getData().size());
    @PATCH@ patch = client.getObjectMapper().readValue(args[2], @PATCH@.class);
    ApiResponse<PartyInteraction> changed = api.patchPartyInteractionWithHttpInfo(
        PartyInteractionApi.APIPatchPartyInteractionRequest.newBuilder()
            .id(id).@PATCH_NAME@(patch).ifMatch(tag).build());
    System.out.println("patch " + changed.getStatusCode() + " " + changed.getData().getDescription());
    try {
      api.patchPartyInteractionWithHttpInfo(PartyInteractionApi.APIPatchPartyInteractionRequest.newBuilder()
          .id(id).@PATCH_NAME@(patch).ifMatch(tag).build());
    } catch (ApiException error) {
      System.out.println("stale patch " + error.getCode());
    }
    ApiResponse<Void> gone = api.deletePartyInteractionWithHttpInfo(
        PartyInteractionApi.APIDeletePartyInteractionRequest.newBuilder().id(id).build());
    System.out.println("delete " + gone.getStatusCode());
    try {
      api.retrievePartyInteractionWithHttpInfo(
          PartyInteractionApi.APIRetrievePartyInteractionRequest.newBuilder().id(id).build());
    } catch (ApiException error) {
      System.out.println("missing " + error.getCode());
    }
  }
}
