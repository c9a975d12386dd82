package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/promql/promqltest"
)

// rules FILE reads a file of rules as Prometheus does, the templates in it included.
func rules(arguments []string) error {
	_, problems := rulefmt.ParseFile(arguments[0], false)
	return errors.Join(problems...)
}

type question struct {
	Load  string   `json:"load"` // series, as promtool's unit tests write them
	At    float64  `json:"at"`   // seconds after the first sample
	Exprs []string `json:"exprs"`
}

type selector struct {
	Name   string   `json:"name"`
	Labels []string `json:"labels"`
}

type sample struct {
	Labels map[string]string `json:"labels"`
	Value  string            `json:"value"`
}

type answer struct {
	Selectors []selector `json:"selectors"`
	Result    []sample   `json:"result"`
}

// promQL reads a question from standard input, evaluates each expression over the series, and
// prints an answer for each: what it selects, and its result.
func promQL(_ []string) error {
	var asked question
	if err := json.NewDecoder(os.Stdin).Decode(&asked); err != nil {
		return err
	}
	loader, err := promqltest.NewLazyLoader(asked.Load, promqltest.LazyLoaderOpts{
		EnableAtModifier: true, EnableNegativeOffset: true,
	})
	if err != nil {
		return err
	}
	defer loader.Close()
	moment := time.UnixMilli(int64(asked.At * 1000)).UTC()
	loader.WithSamplesTill(moment, func(failed error) { err = failed })
	if err != nil {
		return err
	}
	answers := []answer{}
	for _, expression := range asked.Exprs {
		found, err := evaluate(loader, expression, moment)
		if err != nil {
			return fmt.Errorf("%s: %w", expression, err)
		}
		answers = append(answers, found)
	}
	return json.NewEncoder(os.Stdout).Encode(answers)
}

func evaluate(loader *promqltest.LazyLoader, expression string, moment time.Time) (answer, error) {
	found := answer{Selectors: []selector{}, Result: []sample{}}
	parsed, err := parser.ParseExpr(expression)
	if err != nil {
		return found, err
	}
	parser.Inspect(parsed, func(node parser.Node, _ []parser.Node) error {
		if vector, is := node.(*parser.VectorSelector); is {
			found.Selectors = append(found.Selectors, selected(vector))
		}
		return nil
	})
	query, err := loader.QueryEngine().NewInstantQuery(loader.Context(), loader.Queryable(), nil, expression, moment)
	if err != nil {
		return found, err
	}
	defer query.Close()
	result := query.Exec(loader.Context())
	if result.Err != nil {
		return found, result.Err
	}
	switch value := result.Value.(type) {
	case promql.Vector:
		for _, each := range value {
			found.Result = append(found.Result, sample{each.Metric.Map(), fmt.Sprint(each.F)})
		}
	case promql.Scalar:
		found.Result = append(found.Result, sample{map[string]string{}, fmt.Sprint(value.V)})
	}
	return found, nil
}

func selected(vector *parser.VectorSelector) selector {
	found := selector{vector.Name, []string{}}
	for _, matcher := range vector.LabelMatchers {
		if matcher.Name != labels.MetricName {
			found.Labels = append(found.Labels, matcher.Name)
		}
	}
	return found
}
