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

// within is how long the whole check may take.
const within = 30 * time.Second

// Program is a program whose configuration is checked.
type Program struct {
	Role string
	// Load reads and validates the program's configuration and the files that it names,
	// and returns the part about the broker.
	Load func() (settings.Broker, error)
}

// Options says what to check.
type Options struct {
	Programs []Program // at least one
	Version  string    // of this program
	Out      io.Writer
	// NothingRuns says that no worker was started yet, so that a missing one is not wrong.
	NothingRuns bool
	// Try, if set, sends an event all the way to a websocket.
	Try *Try
}

// ErrWrong is wrapped by Run's error if it found something wrong.
var ErrWrong = errors.New("something is wrong")

// Run makes the checks and writes the report to Options.Out.
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

// look checks the broker of the roles whose configuration is valid. All have the same
// environment, so there is one broker.
func look(ctx context.Context, r *report, brokers map[string]settings.Broker, o Options) error {
	for _, role := range []string{RoleWorker, RoleGateway, RoleBackend} {
		b, ok := brokers[role]
		if !ok {
			continue
		}
		if host, embedded := embeddedHost(b); embedded {
			checkDev(ctx, r, host)
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

// The roles, by the programs that have them.
const (
	RoleGateway = "gateway"
	RoleWorker  = "worker"
	RoleBackend = "backend"
)

// Roles returns all roles.
func Roles() []string { return []string{RoleGateway, RoleWorker, RoleBackend} }
