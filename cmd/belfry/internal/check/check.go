package check

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"belfry/cmd/belfry/internal/environment"
	"belfry/pkg/amqpbus"
	"belfry/pkg/amqpbus/rabbit"
	"belfry/pkg/settings"
)

// within bounds the whole check.
const within = 30 * time.Second

// Program is one whose configuration is looked at.
type Program struct {
	Role string
	// Load reads and validates its configuration, and what the configuration
	// names, and gives what it says about the broker.
	Load func() (settings.Broker, error)
}

// Options say what to check.
type Options struct {
	Programs []Program // at least one
	Version  string    // of this program
	Out      io.Writer
	// NothingRuns says that workers are not started yet: none is no fault.
	NothingRuns bool
	// Try, when set, sends an event all the way to a websocket.
	Try *Try
}

// ErrWrong is what Run returns when it found something wrong.
var ErrWrong = errors.New("something is wrong")

// Run writes the report.
func Run(ctx context.Context, o Options) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	r := newReport(o.Out)
	r.good("belfry %s", o.Version)
	brokers := map[string]settings.Broker{}
	for _, p := range o.Programs {
		b, err := p.Load()
		if err != nil {
			r.bad("configuration of the "+p.Role, err)
			continue
		}
		r.good("configuration of the %s", p.Role)
		brokers[p.Role] = b
	}
	for _, name := range settings.Injected() {
		r.note("%s looks as if an orchestrator had set it; it has no effect", name)
	}
	if err := look(ctx, r, brokers, o); err != nil {
		return err
	}
	if r.wrong > 0 {
		return fmt.Errorf("%w: see the lines marked WRONG above, %d in all", ErrWrong, r.wrong)
	}
	return nil
}

// look looks at the broker of the roles whose configuration is good. They have
// one environment, so they have one broker.
func look(ctx context.Context, r *report, brokers map[string]settings.Broker, o Options) error {
	for _, role := range []string{RoleWorker, RoleGateway, RoleBackend} {
		b, ok := brokers[role]
		if !ok {
			continue
		}
		if host, embedded := embeddedHost(b); embedded {
			door(ctx, r, host)
		} else {
			lookAtBroker(ctx, r, b, o, func(role string) bool { _, ok := brokers[role]; return ok })
		}
		if o.Try != nil {
			o.Try.run(ctx, r)
		}
		return ctx.Err()
	}
	r.note("broker not checked: fix the configuration first")
	return nil
}

func lookAtBroker(ctx context.Context, r *report, b settings.Broker, o Options, is func(role string) bool) {
	connection := environment.Connection(b, "belfry check")
	if connection.URL = eachNode(ctx, r, connection); connection.URL == "" {
		return
	}
	probe, err := rabbit.OpenProbe(ctx, connection)
	if err != nil {
		r.bad("broker", err)
		return
	}
	defer func() { _ = probe.Close() }()
	tries, err := rabbit.OpenProbe(ctx, connection)
	if err != nil {
		r.bad(aboutOf(err, "broker"), err)
		return
	}
	defer func() { _ = tries.Close() }()
	e := examination{
		report: r, probe: probe, tries: tries, connection: connection, broker: b,
		layout: amqpbus.Layout(b.Layout()), nothingRuns: o.NothingRuns,
	}
	e.run(ctx, is)
}

// The roles.
const (
	RoleGateway = "gateway"
	RoleWorker  = "worker"
	RoleBackend = "backend"
)

// Roles are all of them.
func Roles() []string { return []string{RoleGateway, RoleWorker, RoleBackend} }
