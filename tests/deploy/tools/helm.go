package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"

	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/cli/values"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/getter"
)

type repeated []string

func (list *repeated) String() string         { return fmt.Sprint(*list) }
func (list *repeated) Set(value string) error { *list = append(*list, value); return nil }

// options reads what `helm template` takes: -f FILE and -a API, each repeatable, and then values
// as NAME=VALUE, as --set does.
func options(arguments []string) (map[string]interface{}, []string, error) {
	var files, apis repeated
	flags := flag.NewFlagSet("helm", flag.ContinueOnError)
	flags.Var(&files, "f", "a file of values")
	flags.Var(&apis, "a", "an API that the cluster has")
	if err := flags.Parse(arguments); err != nil {
		return nil, nil, err
	}
	given := values.Options{ValueFiles: files, Values: flags.Args()}
	merged, err := given.MergeValues(getter.Providers{})
	return merged, apis, err
}

// helmLint CHART [OPTIONS]
func helmLint(arguments []string) error {
	given, _, err := options(arguments[1:])
	if err != nil {
		return err
	}
	client := action.NewLint()
	client.Strict = true
	result := client.Run([]string{arguments[0]}, given)
	for _, message := range result.Messages {
		fmt.Println(message)
	}
	if len(result.Errors) > 0 {
		return fmt.Errorf("%v", result.Errors)
	}
	return nil
}

// helmTemplate RELEASE CHART [OPTIONS] prints the rendered files by name, as JSON.
func helmTemplate(arguments []string) error {
	chart, err := loader.Load(arguments[1])
	if err != nil {
		return err
	}
	given, apis, err := options(arguments[2:])
	if err != nil {
		return err
	}
	release := chartutil.ReleaseOptions{Name: arguments[0], Namespace: "default", Revision: 1, IsInstall: true}
	capabilities := chartutil.DefaultCapabilities.Copy()
	capabilities.APIVersions = append(capabilities.APIVersions, apis...)
	merged, err := chartutil.ToRenderValues(chart, given, release, capabilities)
	if err != nil {
		return err
	}
	files, err := engine.Render(chart, merged)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(files)
}
