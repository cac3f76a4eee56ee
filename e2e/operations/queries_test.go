package operations

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
)

// rules reads the shipped alerts as Prometheus does: unknown keys, expressions
// and templates that cannot be parsed are errors.
func rules(t *testing.T) []rulefmt.Rule {
	t.Helper()
	groups, problems := rulefmt.Parse([]byte(read(t, "deploy/prometheus/belfry.rules.yml")), false)
	if len(problems) > 0 {
		t.Fatalf("deploy/prometheus/belfry.rules.yml: %v", problems)
	}
	var all []rulefmt.Rule
	for _, g := range groups.Groups {
		all = append(all, g.Rules...)
	}
	return all
}

// panels are the queries of the dashboard, with Grafana's variables filled in.
func panels(t *testing.T) []string {
	t.Helper()
	var dashboard struct {
		Panels []struct {
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal([]byte(read(t, "deploy/grafana/belfry.json")), &dashboard); err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, p := range dashboard.Panels {
		for _, target := range p.Targets {
			all = append(all, strings.ReplaceAll(target.Expr, "$__rate_interval", "5m"))
		}
	}
	return all
}

// queries checks each query of the alerts and the dashboard: it can be parsed, the
// labels that it groups, matches and speaks by are labels that are there.
func (e exported) queries(t *testing.T) {
	t.Helper()
	used := regexp.MustCompile(`\$labels\.([a-z_]+)`)
	alerts, dashboard := rules(t), panels(t)
	if len(alerts) < 15 || len(dashboard) < 30 {
		t.Fatalf("%d alerts, %d queries of the dashboard", len(alerts), len(dashboard))
	}
	for _, rule := range alerts {
		labels, err := e.query(rule.Expr)
		if err != nil {
			t.Errorf("%s: %v", rule.Alert, err)
			continue
		}
		for _, m := range used.FindAllStringSubmatch(rule.Annotations["summary"], -1) {
			if !slices.Contains(labels, m[1]) {
				t.Errorf("%s speaks of the label %s, its result has %v", rule.Alert, m[1], labels)
			}
		}
	}
	for _, query := range dashboard {
		for _, missing := range e.notNarrowed(t, query) {
			t.Errorf("the dashboard's %s: %s", query, missing)
		}
		if _, err := e.query(query); err != nil {
			t.Errorf("the dashboard's %s: %v", query, err)
		}
	}
	if got := e.notNarrowed(t, `sum(belfry_worker_log_lag{instance=~"$instance"}) + sum(go_goroutines{log=~"$log"})`); len(got) != 2 {
		t.Errorf("of two selectors that are not narrowed it finds %v", got)
	}
	// It can fail.
	for _, wrong := range []string{
		`sum(belfry_gateway_connections`, `sum by (gateway) (belfry_gateway_connections)`,
		`sum by (log) (belfry_worker_log_lag) == 0 and on (log) sum(belfry_gateway_connections)`,
		`sum by (log) (belfry_worker_log_lag) > sum(belfry_worker_log_lag)`,
		`histogram_quantile(0.5, sum(rate(belfry_gateway_join_seconds_bucket[5m])))`,
		`belfry_gateway_nothing > 0`,
	} {
		if labels, err := e.query(wrong); err == nil {
			t.Errorf("nothing is found in %s; its labels are %v", wrong, labels)
		}
	}
}

// notNarrowed tells which of the dashboard's variables a query leaves out, where
// what it asks for has the label.
func (e exported) notNarrowed(t *testing.T, query string) (missing []string) {
	t.Helper()
	parsed, err := parser.ParseExpr(query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	for _, selectors := range parser.ExtractSelectors(parsed) {
		name, by := "", map[string]string{}
		for _, m := range selectors {
			by[m.Name] = m.Value
			if m.Name == "__name__" {
				name = m.Value
			}
		}
		labels := e[name]
		if labels == nil {
			labels = e[name+"_count"]
		}
		if by["instance"] != "$instance" {
			missing = append(missing, name+" is not narrowed by instance")
		}
		if labels["log"] != nil && by["log"] != "$log" {
			missing = append(missing, name+" is not narrowed by log")
		}
	}
	return missing
}

// query returns the labels of a query's result.
func (e exported) query(text string) ([]string, error) {
	parsed, err := parser.ParseExpr(text)
	if err != nil {
		return nil, err
	}
	return e.labels(parsed)
}

// target are the labels that Prometheus gives to everything that it scrapes.
var target = []string{"instance", "job"}

func (e exported) labels(node parser.Expr) ([]string, error) {
	switch n := node.(type) {
	case *parser.ParenExpr:
		return e.labels(n.Expr)
	case *parser.UnaryExpr:
		return e.labels(n.Expr)
	case *parser.MatrixSelector:
		return e.labels(n.VectorSelector)
	case *parser.NumberLiteral, *parser.StringLiteral:
		return nil, nil
	case *parser.VectorSelector:
		return e.selected(n)
	case *parser.Call:
		return e.called(n)
	case *parser.AggregateExpr:
		labels, err := e.labels(n.Expr)
		if err != nil {
			return nil, err
		}
		if n.Without {
			return nil, fmt.Errorf("%s: without is not used here: name the labels", n)
		}
		return n.Grouping, contains(labels, n.Grouping, n)
	case *parser.BinaryExpr:
		return e.combined(n)
	}
	return nil, fmt.Errorf("%s is of a kind that is not looked into", node)
}

func contains(labels, wanted []string, node parser.Node) error {
	for _, label := range wanted {
		if !slices.Contains(labels, label) {
			return fmt.Errorf("%s: there is no label %s, but %v", node, label, labels)
		}
	}
	return nil
}

func (e exported) selected(n *parser.VectorSelector) ([]string, error) {
	if n.Name == "up" {
		return target, nil
	}
	of, there := e[n.Name]
	if !there {
		return nil, fmt.Errorf("%s: nothing exports it", n.Name)
	}
	labels := slices.Clone(target)
	for label := range of {
		labels = append(labels, label)
	}
	for _, m := range n.LabelMatchers {
		if m.Name != "__name__" && !slices.Contains(labels, m.Name) {
			return nil, fmt.Errorf("%s: there is no label %s", n, m.Name)
		}
	}
	slices.Sort(labels)
	return labels, nil
}

func (e exported) called(n *parser.Call) ([]string, error) {
	labels, err := e.labels(n.Args[len(n.Args)-1])
	if err != nil || n.Func.Name != "histogram_quantile" {
		return labels, err
	}
	if err := contains(labels, []string{"le"}, n); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(labels), func(l string) bool { return l == "le" }), nil
}

// combined: two sides of an operator find each other by their labels only.
func (e exported) combined(n *parser.BinaryExpr) ([]string, error) {
	left, err := e.labels(n.LHS)
	if err != nil {
		return nil, err
	}
	right, err := e.labels(n.RHS)
	if err != nil {
		return nil, err
	}
	switch {
	case n.LHS.Type() == parser.ValueTypeScalar:
		return right, nil
	case n.RHS.Type() == parser.ValueTypeScalar, n.Op == parser.LOR:
		return left, nil
	case n.VectorMatching.On:
		wanted := n.VectorMatching.MatchingLabels
		if err := contains(left, wanted, n); err != nil {
			return nil, err
		}
		return left, contains(right, wanted, n)
	}
	if !slices.Equal(slices.Sorted(slices.Values(left)), slices.Sorted(slices.Values(right))) {
		return nil, fmt.Errorf("%s: one side has the labels %v, the other %v: they never find each other", n, left, right)
	}
	return left, nil
}
