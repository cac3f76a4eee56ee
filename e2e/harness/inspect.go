package harness

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"belfry/pkg/amqpbus"
)

// inspect fails the test when the process ended by itself, or wrote that
// something in it went wrong that must never go wrong.
func (p *Process) inspect(t T) {
	t.Helper()
	select {
	case <-p.done:
		if !p.asked.Load() {
			t.Errorf("%s ended by itself with status %d", p.Name, p.ExitCode())
		}
	default:
	}
	for _, line := range faults(p.Log()) {
		t.Errorf("%s wrote: %.300s", p.Name, line)
	}
}

// alarms are what a Go program writes when it has a fault. Belfry recovers from
// a panic in one connection or question, and logs it with this key.
var alarms = []string{"WARNING: DATA RACE", "panic: ", `"panic":`, "http: panic serving", "fatal error: "}

// faults are the lines of a log that have an alarm in them.
func faults(log string) []string {
	var found []string
	for line := range strings.Lines(log) {
		for _, alarm := range alarms {
			if strings.Contains(line, alarm) {
				found = append(found, strings.TrimSpace(line))
				break
			}
		}
	}
	return found
}

// shownMost bounds how much of a secret is looked for: a part of a long one is
// too much already.
const shownMost = 100

// silent fails the test when a process has told one of the secrets, in its log
// or its metrics.
func (p *Process) silent(t T, secrets []string) {
	t.Helper()
	said := p.Log() + p.metrics(t)
	for _, secret := range secrets {
		if at := strings.Index(said, secret[:min(len(secret), shownMost)]); at >= 0 {
			t.Errorf("%s tells the token %.40q: %.300q", p.Name, secret, said[max(0, at-150):])
		}
	}
}

// Metric sums the series of a running process whose lines begin with a prefix.
func (p *Process) Metric(t T, prefix string) float64 {
	t.Helper()
	sum := 0.0
	for line := range strings.Lines(p.metrics(t)) {
		if !strings.HasPrefix(line, prefix) {
			continue
		}
		fields := strings.Fields(line)
		value, err := strconv.ParseFloat(fields[len(fields)-1], 64)
		if err != nil {
			t.Fatalf("%s exports %q", p.Name, line)
		}
		sum += value
	}
	return sum
}

// AwaitLeaders waits until every log has one leader, which serves all gateways.
func (in *Installation) AwaitLeaders(t T) {
	t.Helper()
	Until(t, 30*time.Second, "all logs to have a leader that serves all gateways", func() bool {
		leading, gateways := 0.0, 0.0
		for _, w := range in.Workers {
			leading += w.Metric(t, "belfry_worker_leading{")
			gateways += w.Metric(t, "belfry_worker_gateways{")
		}
		logs := amqpbus.Logs(in.shape.Shards)
		return int(leading) == logs && int(gateways) == logs*len(in.Gateways)
	})
}

// Until asks, many times a second, until something holds.
func Until(t T, within time.Duration, what string, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), Within(within))
	defer cancel()
	err := Await(ctx, what, func() error {
		if holds() {
			return nil
		}
		return errors.New("not yet")
	})
	if err != nil {
		t.Fatalf("waited %v in vain for %s", Within(within), what)
	}
}

// metrics are what a process that runs exports.
func (p *Process) metrics(t T) string {
	t.Helper()
	select {
	case <-p.done:
		return ""
	default:
	}
	if p.Admin == "" {
		return ""
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	status, body, err := Get(ctx, "http://"+p.Admin+"/metrics")
	if err != nil || status != http.StatusOK {
		t.Logf("%s gave no metrics: %d, %v", p.Name, status, err)
	}
	return body
}
