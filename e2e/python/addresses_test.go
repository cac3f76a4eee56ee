package python

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"belfry/e2e/harness"
	"belfry/pkg/amqpbus/address"
	"belfry/pkg/amqpbus/brokertest"
	"belfry/pkg/amqpbus/rabbit"
)

// toEachAddress connects with each address. The broker has no exchange for
// events, and says so to whom it has let in.
const toEachAddress = `
import json, os, belfry
rows = json.loads(os.environ["ROWS"])
assert rows
for row in rows:
    with belfry.Emitter(row["Address"], raise_errors=True, driver=os.environ["DRIVER"], timeout=60) as emitter:
        try:
            emitter.emit("jobs-a", {})
        except belfry.Unroutable:
            print("connected:", row["Name"])
        else:
            raise AssertionError(row["Name"])
`

type addressed struct{ Name, Address string }

// thisHost is what addresses of the table call it, with the port.
var thisHost = regexp.MustCompile(`(?i)(://|@)(localhost|127\.0\.0\.1|\[::1\])(:[0-9]*)?(/|$)`)

// reachable are the rows of the table that lead to this host without TLS, to a
// node instead of their port. Users and virtual hosts are made there.
func reachable(t *testing.T, node *brokertest.Node) (rows []addressed) {
	t.Helper()
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, "pkg", "amqpbus", "testdata", "broker_addresses.json"))
	if err != nil {
		t.Fatal(err)
	}
	var table []struct {
		addressed
		Means *address.Address
	}
	if err := json.Unmarshal(text, &table); err != nil {
		t.Fatal(err)
	}
	known, err := node.VHosts()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range table {
		if row.Means == nil || row.Means.TLS || !thisHost.MatchString(row.Address) {
			continue
		}
		if !slices.Contains(known, row.Means.VHost) {
			if err := node.AddVHost(row.Means.VHost); err != nil {
				t.Fatal(row.Name, err)
			}
			known = append(known, row.Means.VHost)
		}
		if row.Means.User != "guest" {
			if err := node.SetUser(row.Means.User, row.Means.Password); err != nil {
				t.Fatal(row.Name, err)
			}
		}
		if err := node.Permit(row.Means.VHost, row.Means.User, ".*", ".*", ".*"); err != nil {
			t.Fatal(row.Name, err)
		}
		rows = append(rows, addressed{row.Name, thisHost.ReplaceAllString(row.Address, "${1}"+node.Address()+"${4}")})
	}
	return rows
}

func TestAnAddressMeansTheSameToGoPikaAndKombu(t *testing.T) {
	needs(t)
	t.Parallel()
	node := brokertest.Start(t)
	rows := reachable(t, node)
	if len(rows) < 20 {
		t.Fatalf("the table has %d addresses of this host", len(rows))
	}
	for _, row := range rows {
		probe, err := rabbit.OpenProbe(t.Context(), rabbit.Options{URL: row.Address, Name: t.Name()})
		if err != nil {
			t.Errorf("%s: %v", row.Name, err)
			continue
		}
		if err := probe.Close(); err != nil {
			t.Errorf("%s: %v", row.Name, err)
		}
	}
	text, err := json.Marshal(rows)
	if err != nil {
		t.Fatal(err)
	}
	for _, library := range libraries {
		t.Run(library, func(t *testing.T) {
			python(t, nil, []string{"ROWS=" + string(text), "DRIVER=" + library}, "-c", toEachAddress)
		})
	}
}
