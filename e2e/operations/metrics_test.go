package operations

import (
	"context"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"belfry/e2e/harness"
	"belfry/pkg/amqpbus/membus"
	"belfry/pkg/emitter"
)

// exported is what processes export: a metric's name, its labels, their values.
type exported map[string]map[string]map[string]bool

var (
	sampleLine = regexp.MustCompile(`(?m)^([a-z_]+)(?:\{(.*)\})? [^ ]+$`)
	typeLine   = regexp.MustCompile(`(?m)^# TYPE ([a-z_]+) ([a-z]+)$`)
	labelPair  = regexp.MustCompile(`([a-z_]+)="((?:[^"\\]|\\.)*)"`)
	named      = regexp.MustCompile(`\b(belfry_[a-z0-9_]+|process_[a-z0-9_]+)\b(?:\{([^}]*)\})?`)
	matcher    = regexp.MustCompile(`([a-z_]+)(=~|!~|!=|=)\\?"((?:[^"\\])*)\\?"`)
)

// series are the names that a query may use for a metric of a type.
func series(name, kind string) []string {
	switch kind {
	case "histogram":
		return []string{name + "_bucket", name + "_count", name + "_sum"}
	case "summary":
		return []string{name, name + "_count", name + "_sum"}
	}
	return []string{name}
}

// scrape adds what a text of metrics holds; families gets the names as the
// documentation has them.
func (e exported) scrape(text string, families map[string]bool) {
	for _, m := range typeLine.FindAllStringSubmatch(text, -1) {
		families[m[1]] = true
		for _, name := range series(m[1], m[2]) {
			if e[name] == nil {
				e[name] = map[string]map[string]bool{}
			}
		}
	}
	for _, m := range sampleLine.FindAllStringSubmatch(text, -1) {
		for _, pair := range labelPair.FindAllStringSubmatch(m[2], -1) {
			if e[m[1]][pair[1]] == nil {
				e[m[1]][pair[1]] = map[string]bool{}
			}
			e[m[1]][pair[1]][pair[2]] = true
		}
	}
}

// TestEveryMetric scrapes a running gateway and worker, with everything on that
// has metrics, and compares both ways with what the operator is given.
func TestEveryMetric(t *testing.T) {
	needsBroker(t)
	t.Parallel()
	in := harness.Start(t, harness.Shape{Gateways: 1, Workers: 1, Shards: 2, Env: []string{"BELFRY_TRACE_URL=http://" + harness.FreeAddr(t) + "/v1/traces"}})
	all, families := exported{}, map[string]bool{}
	for _, p := range []*harness.Process{in.Gateways[0], in.Workers[0]} {
		status, text, err := harness.Get(t.Context(), "http://"+p.Admin+"/metrics")
		if status != 200 || err != nil {
			t.Fatalf("scrape %s: %d, %v", p.Name, status, err)
		}
		all.scrape(text, families)
	}
	ofEmitter(t, families)
	documented(t, all, families)
	for _, file := range []string{"deploy/grafana/belfry.json", "deploy/prometheus/belfry.rules.yml"} {
		all.used(t, file)
	}
	all.queries(t)
}

// ofEmitter adds what the library registers in a backend's registry.
func ofEmitter(t *testing.T, families map[string]bool) {
	t.Helper()
	registry := prometheus.NewRegistry()
	bus := membus.New().Open("backend")
	e, err := emitter.OverBus(bus, emitter.Options{Registerer: registry})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close(context.Background()); _ = bus.Close(context.Background()) })
	got, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range got {
		families[family.GetName()] = true
	}
}

// documented compares the tables of docs/operations.md with what is exported,
// the labels included.
func documented(t *testing.T, all exported, families map[string]bool) {
	t.Helper()
	row := regexp.MustCompile("(?m)^\\| `(belfry_[a-z_]+)` \\| ([^|]*)\\| ([^|]+) \\|$")
	told := map[string]bool{}
	text := read(t, "docs/operations.md")
	for _, m := range row.FindAllStringSubmatch(text, -1) {
		if told[m[1]] {
			t.Errorf("%s is documented twice", m[1])
		}
		told[m[1]] = true
		if !families[m[1]] {
			t.Errorf("%s is documented, but nothing exports it", m[1])
		}
		if strings.HasPrefix(m[1], "belfry_emitter_") {
			continue // a library of the backend's: not scraped here
		}
		labels := strings.FieldsFunc(m[2], func(r rune) bool { return strings.ContainsRune("`, ", r) })
		have := all[m[1]]
		if have == nil {
			have = all[m[1]+"_count"]
		}
		if got := slices.Sorted(maps.Keys(have)); !slices.Equal(got, slices.Sorted(slices.Values(labels))) {
			t.Errorf("%s is documented with the labels %v, it has %v", m[1], labels, got)
		}
	}
	for name := range families {
		if strings.HasPrefix(name, "belfry_") && !told[name] {
			t.Errorf("%s is exported, but not in a table of docs/operations.md", name)
		}
	}
	all.used(t, "docs/operations.md")
}

// used checks every name of a metric in a file, and every label and value that
// is asked for with it. job and instance are Prometheus's own.
func (e exported) used(t *testing.T, file string) {
	t.Helper()
	text := strings.ReplaceAll(read(t, file), `\"`, `"`)
	found := 0
	for _, m := range named.FindAllStringSubmatch(text, -1) {
		if strings.HasPrefix(m[1], "belfry_emitter_") {
			continue
		}
		found++
		labels, there := e[m[1]]
		if !there {
			if _, histogram := e[m[1]+"_count"]; !histogram || m[2] != "" && file != "docs/operations.md" {
				t.Errorf("%s names %s, which nothing exports", file, m[1])
				continue
			}
			labels = e[m[1]+"_count"]
		}
		for _, pair := range matcher.FindAllStringSubmatch(m[2], -1) {
			label, op, value := pair[1], pair[2], pair[3]
			if label == "job" || label == "instance" {
				continue
			}
			values, matches := []string{value}, func(v string) bool { return labels[label][v] }
			if strings.HasSuffix(op, "~") { // alternatives, each an anchored regular expression
				values = strings.Split(value, "|")
				matches = func(v string) bool {
					return slices.ContainsFunc(slices.Collect(maps.Keys(labels[label])), regexp.MustCompile("^(?:"+v+")$").MatchString)
				}
			}
			for _, v := range values {
				if !strings.HasPrefix(v, "$") && !matches(v) { // $: a variable of the dashboard
					t.Errorf(`%s asks %s for %s="%s", which it never has: it has %v`, file, m[1], label, v, slices.Sorted(maps.Keys(labels[label])))
				}
			}
		}
	}
	if found < 20 {
		t.Errorf("%s names %d metrics: is it read as it is written?", file, found)
	}
}

// TestAlertsAndDashboard: each alert leads to a section that exists, has a
// severity and a summary; the dashboard is JSON, its panels have queries and
// none lies on another.
func TestAlertsAndDashboard(t *testing.T) {
	rules, manual := read(t, "deploy/prometheus/belfry.rules.yml"), read(t, "docs/operations.md")
	anchors := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^#+ (.+)$`).FindAllStringSubmatch(manual, -1) {
		anchors[strings.ReplaceAll(strings.ToLower(m[1]), " ", "-")] = true
	}
	alerts := strings.Split(rules, "- alert: ")[1:]
	if len(alerts) < 15 {
		t.Errorf("%d alerts", len(alerts))
	}
	for _, alert := range alerts {
		name, _, _ := strings.Cut(alert, "\n")
		section := regexp.MustCompile(`\n {10}runbook_url: file:///usr/share/doc/belfry/operations\.md#(\S+)\n`).FindStringSubmatch(alert)
		if section == nil || !anchors[section[1]] {
			t.Errorf("%s leads to no section of docs/operations.md: %v", name, section)
		}
		if !regexp.MustCompile(`severity: (page|ticket)}`).MatchString(alert) || !strings.Contains(alert, "summary: ") {
			t.Errorf("%s has no severity, or no summary", name)
		}
	}
	for _, m := range regexp.MustCompile(`\]\(#([a-z-]+)\)`).FindAllStringSubmatch(manual, -1) {
		if !anchors[m[1]] {
			t.Errorf("docs/operations.md links to its section %s, which is not there", m[1])
		}
	}
	var dashboard struct {
		Panels []struct {
			ID      int
			Title   string
			Type    string
			GridPos struct{ X, Y, W, H int }
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal([]byte(read(t, "deploy/grafana/belfry.json")), &dashboard); err != nil {
		t.Fatal(err)
	}
	taken := map[[2]int]string{}
	ids := map[int]bool{}
	for _, p := range dashboard.Panels {
		if ids[p.ID] || p.Title == "" || p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("panel %d %q: a doubled id, no title, or no query", p.ID, p.Title)
		}
		ids[p.ID] = true
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other, is := taken[[2]int{x, y}]; is || x >= 24 {
					t.Fatalf("panel %q lies on %q, or outside", p.Title, other)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
	}
}

// read gives a file of the repository.
func read(t *testing.T, path string) string {
	t.Helper()
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
