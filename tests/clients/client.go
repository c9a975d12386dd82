// The scenario with net/http and its default transport.
package main

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"os"
	"strings"
)

func step(name, url, method, body, match string) http.Header {
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	request, err := http.NewRequest(method, url, reader)
	if err != nil {
		log.Fatalf("%s: %v", name, err)
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	if match != "" {
		request.Header.Set("If-Match", match)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		log.Fatalf("%s: %v", name, err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		log.Fatalf("%s: %v", name, err)
	}
	line := map[string]any{
		"step": name, "status": response.StatusCode,
		"body": base64.StdEncoding.EncodeToString(content),
	}
	if err := json.NewEncoder(os.Stdout).Encode(line); err != nil {
		log.Fatal(err)
	}
	return response.Header
}

func main() {
	collection, counted, party, document := os.Args[1], os.Args[2], os.Args[3], os.Args[4]
	created := step("create", collection, "POST", document, "")
	resource, tag := created.Get("Location"), created.Get("ETag")
	step("list", collection, "GET", "", "")
	step("filter", collection+"?relatedParty.id="+party, "GET", "", "")
	step("patch", resource, "PATCH", `{"description":"first"}`, tag)
	step("stale patch", resource, "PATCH", `{"description":"second"}`, tag)
	large := `{"description":"` + strings.Repeat("x", 3_000_000) + `"}`
	step("too large", collection, "POST", large, "")
	step("reuse", counted, "GET", "", "")
	step("reuse", counted, "GET", "", "")
}
