// Tools that check the files of deploy/ with the libraries of those who will read them: helm,
// kubeconform, Prometheus, compose and BuildKit.
package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
)

func main() {
	commands := map[string]func([]string) error{
		"helm-lint": helmLint, "helm-template": helmTemplate,
		"kubeconform": kubeconform, "rules": rules, "promql": promQL,
		"compose": compose, "dockerfile": dockerfile, "metrics": metrics,
	}
	if err := commands[os.Args[1]](os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
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
