package operations

import (
	"fmt"
	"testing"

	"belfry/e2e/harness"
	"belfry/e2e/wsclient"
	"belfry/pkg/protocol"
)

// forged are the headers in which a client might claim another address.
func forged(claim string) []wsclient.Field {
	return []wsclient.Field{
		{Name: "X-Forwarded-For", Value: claim}, {Name: "X-Forwarded-For", Value: claim + ", " + claim},
		{Name: "Forwarded", Value: "for=" + claim}, {Name: "X-Real-IP", Value: claim}, {Name: "X-Client-IP", Value: claim},
	}
}

// TestForgedAddress: whatever a client claims in headers, through nginx and past
// it, the address that counts, in reports and for the limit of one address, is
// the one that it comes from.
func TestForgedAddress(t *testing.T) {
	needsBroker(t)
	if !harness.Namespace(t) {
		return
	}
	const most = 3
	in := harness.Start(t, harness.Shape{
		Gateways: 2, Workers: 1, Shards: 1, Nginx: true,
		GatewayEnv: []string{fmt.Sprint("BELFRY_MAX_PER_ADDRESS=", most), "BELFRY_DRAIN_NOTICE=0s"},
	})
	f := follow(t, open(t, in.Broker.URL()))
	f.bind(t)
	for _, c := range []struct {
		name, from string
		request    wsclient.Request
		gateways   int // that it may end up at
	}{
		{"through nginx", "127.0.0.9", in.Request(0, wsclient.Request{}), 2},
		{"past nginx", "127.0.0.10", wsclient.Request{Addr: in.Gateways[0].Addr}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			accepted := 0
			for i := range most*c.gateways + 1 {
				claim := fmt.Sprintf("203.0.113.%d", i+1)
				r := c.request
				r.From, r.Token, r.Header = c.from, harness.TokenAdmin, forged(claim)
				conn, answer, err := wsclient.Dial(t.Context(), r)
				if err != nil {
					t.Fatal(err)
				}
				if conn == nil {
					if answer.Status != 429 {
						t.Fatalf("HTTP %d %s", answer.Status, answer.Body)
					}
					continue
				}
				t.Cleanup(conn.Drop)
				accepted++
				if got := f.opened(t).Remote; got != c.from {
					t.Errorf("it claims %s and is said to come from %q; it comes from %s", claim, got, c.from)
				}
			}
			if accepted != most*c.gateways {
				t.Errorf("%d connections were accepted, %d are allowed from one address", accepted, most*c.gateways)
			}
		})
	}
}

// opened is the next report of an opened connection; others may close meanwhile.
func (f *follower) opened(t *testing.T) protocol.LifeReport {
	t.Helper()
	for {
		d, there := f.next(patience)
		if !there {
			t.Fatal("no connection is reported as opened")
		}
		if d.Key != "connection.opened" {
			continue
		}
		report, err := protocol.Decode[protocol.LifeReport](d.Body)
		if err != nil {
			t.Fatalf("%v in %s", err, d.Body)
		}
		return report
	}
}
