import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpHeaders;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.Base64;

/** The scenario with java.net.http in its default version: it offers an upgrade to HTTP/2. */
public class JdkClient {
    private static final HttpClient CLIENT = HttpClient.newHttpClient();

    private static HttpHeaders step(String name, String url, String method, String body, String match)
            throws Exception {
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(url));
        if (body == null) {
            request.method(method, BodyPublishers.noBody());
        } else {
            request.method(method, BodyPublishers.ofString(body));
            request.header("Content-Type", "application/json");
        }
        if (match != null) {
            request.header("If-Match", match);
        }
        HttpResponse<byte[]> response = CLIENT.send(request.build(), BodyHandlers.ofByteArray());
        String text = Base64.getEncoder().encodeToString(response.body());
        System.out.printf(
                "{\"step\":\"%s\",\"status\":%d,\"body\":\"%s\"}%n", name, response.statusCode(), text);
        return response.headers();
    }

    public static void main(String[] arguments) throws Exception {
        String collection = arguments[0];
        String counted = arguments[1];
        HttpHeaders created = step("create", collection, "POST", arguments[3], null);
        String resource = created.firstValue("location").orElseThrow();
        String tag = created.firstValue("etag").orElseThrow();
        step("list", collection, "GET", null, null);
        step("filter", collection + "?relatedParty.id=" + arguments[2], "GET", null, null);
        step("patch", resource, "PATCH", "{\"description\":\"first\"}", tag);
        step("stale patch", resource, "PATCH", "{\"description\":\"second\"}", tag);
        String large = "{\"description\":\"" + "x".repeat(3_000_000) + "\"}";
        step("too large", collection, "POST", large, null);
        step("reuse", counted, "GET", null, null);
        step("reuse", counted, "GET", null, null);
    }
}
