// Tools that check the files of deploy/: helm's own lint and template, the loader of compose files,
// BuildKit's parser and linter of Dockerfiles, and Prometheus's lint of metrics.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/cli/values"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/getter"
)

func main() {
	commands := map[string]func([]string) error{
		"helm-lint": helmLint, "helm-template": helmTemplate,
		"compose": compose, "dockerfile": dockerfile, "metrics": metrics,
	}
	if err := commands[os.Args[1]](os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// given reads values as "name=value" arguments, as helm's --set does.
func given(set []string) (map[string]interface{}, error) {
	options := values.Options{Values: set}
	return options.MergeValues(getter.Providers{})
}

func helmLint(arguments []string) error {
	stated, err := given(arguments[1:])
	if err != nil {
		return err
	}
	client := action.NewLint()
	client.Strict = true
	result := client.Run([]string{arguments[0]}, stated)
	for _, message := range result.Messages {
		fmt.Println(message)
	}
	if len(result.Errors) > 0 {
		return fmt.Errorf("%v", result.Errors)
	}
	return nil
}

func helmTemplate(arguments []string) error {
	chart, err := loader.Load(arguments[1])
	if err != nil {
		return err
	}
	stated, err := given(arguments[2:])
	if err != nil {
		return err
	}
	release := chartutil.ReleaseOptions{Name: arguments[0], Namespace: "default", Revision: 1, IsInstall: true}
	merged, err := chartutil.ToRenderValues(chart, stated, release, chartutil.DefaultCapabilities)
	if err != nil {
		return err
	}
	files, err := engine.Render(chart, merged)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(files)
}

func compose(arguments []string) error {
	options, err := cli.NewProjectOptions(arguments[:1], cli.WithEnv(arguments[1:]), cli.WithName("check"))
	if err != nil {
		return err
	}
	project, err := options.LoadProject(context.Background())
	if err != nil {
		return err
	}
	text, err := project.MarshalJSON()
	if err == nil {
		fmt.Println(string(text))
	}
	return err
}

func dockerfile(arguments []string) error {
	content, err := os.ReadFile(arguments[0])
	if err != nil {
		return err
	}
	parsed, err := parser.Parse(bytes.NewReader(content))
	if err != nil {
		return err
	}
	var warnings []string
	warn := func(rule, description, url, message string, location []parser.Range) {
		warnings = append(warnings, rule+": "+message)
	}
	_, _, err = instructions.Parse(parsed.AST, linter.New(&linter.Config{Warn: warn}))
	if err != nil {
		return err
	}
	if len(warnings) > 0 {
		return fmt.Errorf("%s", strings.Join(warnings, "\n"))
	}
	return nil
}

func metrics(_ []string) error {
	problems, err := promlint.New(os.Stdin).Lint()
	if err != nil {
		return err
	}
	for _, problem := range problems {
		fmt.Println(problem.Metric, problem.Text)
	}
	if len(problems) > 0 {
		return fmt.Errorf("%d problems", len(problems))
	}
	return nil
}
