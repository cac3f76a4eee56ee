// Package app assembles the worker from its packages, and starts and stops them in
// order.
//
//	broker ── leading ── lead          events of the logs to gateways
//	       ── decisions ─ auth, access  questions of gateways
//	                   └─ life          what happened to connections
//	       ── disconnect               the application's orders to gateways
//
// A stop hands the logs over first, while questions are still answered, and
// ends the admin listener last.
package app

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"belfry/pkg/amqpbus"
	"belfry/pkg/amqpbus/rabbit"
	"belfry/pkg/amqpbus/trust"
	"belfry/pkg/amqpbus/upkeep"
	"belfry/pkg/daemon"
	"belfry/pkg/protocol"
	"belfry/pkg/tracing"
	"belfry/services/worker/auth"
	"belfry/services/worker/internal/access"
	"belfry/services/worker/internal/confirm"
	"belfry/services/worker/internal/decisions"
	"belfry/services/worker/internal/disconnect"
	"belfry/services/worker/internal/life"
	"belfry/services/worker/internal/presence"
	"belfry/services/worker/leading"
)

// App is one worker. Start it once, Stop it once.
type App struct {
	cfg       Config
	id        protocol.WorkerID
	log       *zap.Logger
	bus       amqpbus.Bus
	leading   *leading.Leading
	presence  *presence.Presence
	keep      *upkeep.Upkeep
	workers   *trust.Users
	decisions *decisions.Server
	orders    *disconnect.Orders
	out       *confirm.Publisher
	admin     *daemon.Admin // nil: none is configured
	tracer    *tracing.Tracer
	steps     daemon.Steps
	holds     []holdings

	around  sync.WaitGroup // presence and upkeep
	endThem context.CancelFunc
}

// Run runs a worker on RabbitMQ until ctx ends, then stops it within Grace.
func Run(ctx context.Context, cfg Config, log *daemon.Log) error {
	logger, registry := log.Logger, daemon.NewRegistry()
	registry.MustRegister(log.Dropped())
	bus, err := rabbit.Open(rabbit.Options{
		URL: cfg.AmqpURL.Reveal(), Name: "worker " + cfg.Name, Insecure: cfg.AmqpInsecure,
		CAFile: cfg.AmqpCAFile, CertFile: cfg.AmqpCertFile, KeyFile: cfg.AmqpKeyFile,
		Logger: logger, Registerer: registry,
	})
	if err != nil {
		return err
	}
	defer func() {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		if err := bus.Close(last); err != nil {
			logger.Warn("broker connections did not close in time", zap.Error(err))
		}
	}()
	a, err := newApp(cfg, bus, registry, logger)
	if err != nil {
		return err
	}
	if err := a.Start(ctx); err != nil {
		return err
	}
	<-ctx.Done()
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), Grace-3*time.Second)
	defer cancel()
	return a.Stop(last)
}

// New puts a worker together on a bus that the caller opens and closes.
func New(cfg Config, bus amqpbus.Bus, logger *zap.Logger) (*App, error) {
	return newApp(cfg, bus, daemon.NewRegistry(), logger)
}

func newApp(cfg Config, bus amqpbus.Bus, registry *prometheus.Registry, logger *zap.Logger) (*App, error) {
	a := &App{cfg: cfg, bus: bus, id: protocol.WorkerID(cfg.Name + "." + protocol.NewIncarnation())}
	a.log = logger.With(zap.String("worker", string(a.id)))
	a.steps.Logger = a.log
	each := quiet(a.log, registry) // the logger for warnings about single messages
	authenticate, held, err := authenticator(cfg, auth.NewMetrics(registry), a.log)
	if err != nil {
		return nil, err
	}
	a.holds = append(a.holds, held)
	authorize, held, err := authorizer(cfg, access.NewMetrics(registry), each)
	if err != nil {
		return nil, err
	}
	a.holds = append(a.holds, held)
	if a.tracer, err = openTracer(cfg, a.id, registry, a.log); err != nil {
		return nil, err
	}
	layout := cfg.Layout()
	gateways := trust.New("BELFRY_GATEWAY_USERS", orOwn(cfg.GatewayUsers, bus), a.log)
	workers := trust.New("BELFRY_WORKER_USERS", orOwn(cfg.WorkerUsers, bus), a.log)
	a.workers = workers
	a.leading, err = leading.New(leading.Options{
		Bus: bus, Worker: a.id, Layout: amqpbus.Layout(layout), Gateways: gateways, Workers: workers, Other: a.reply, Trace: routes(a.tracer), Logger: a.log, Registerer: registry,
	})
	if err != nil {
		return nil, err
	}
	a.presence = &presence.Presence{Bus: bus, Worker: a.id, Gateways: gateways}
	a.keep = upkeep.New(upkeep.Options{Bus: bus, Topology: upkeep.Of(amqpbus.Layout(layout), a.id), Logger: a.log})
	a.out = confirm.NewPublisher(bus)
	a.decisions = decisions.New(decisions.Options{
		Bus: bus, Layout: amqpbus.Layout(layout), Publisher: a.out, Worker: a.id, GatewayUsers: gateways,
		Authenticator: authenticate, Authorizer: authorize,
		Life:   life.New(a.out, a.id, life.NewMetrics(registry)),
		Logger: each, Metrics: decisions.NewMetrics(registry),
	})
	a.orders = disconnect.New(disconnect.Options{
		Bus: bus, Layout: amqpbus.Layout(layout), Publisher: a.out, Worker: a.id, GatewayUsers: gateways, WorkerUsers: workers,
		Logger: each, Metrics: disconnect.NewMetrics(registry),
	})
	if cfg.AdminListen != "" {
		a.admin = daemon.NewAdmin(daemon.AdminOptions{
			Listen: cfg.AdminListen, AllowRemote: cfg.AdminAllowRemote, Gatherer: registry, Ready: a.readyOn(bus), Logger: a.log,
		})
	}
	return a, nil
}

// Start starts the parts in order. It waits for the broker to declare what must
// exist, until ctx ends.
func (a *App) Start(ctx context.Context) error {
	if a.admin != nil {
		if err := a.steps.Start(ctx, "the admin listener", func(context.Context) error { return a.admin.Start() }, a.admin.Stop, time.Second); err != nil {
			return err
		}
	}
	if err := a.steps.Start(ctx, "tracing", nil, a.tracer.Close, time.Second); err != nil {
		return err
	}
	if err := a.steps.Start(ctx, "HTTP client pools", nil, a.release, time.Second); err != nil {
		return err
	}
	a.log.Info("worker starting", zap.String("broker", a.cfg.Endpoint()), zap.Int("shards", a.cfg.Shards), zap.String("version", daemon.Version))
	if err := a.bus.Declare(ctx, amqpbus.SharedTopology(amqpbus.Layout(a.cfg.Layout()))); err != nil {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		return errors.Join(fmt.Errorf("declare the topology: %w", err), a.steps.Stop(last))
	}
	if err := a.steps.Start(ctx, "presence and upkeep", a.startAround, a.endAround, 2*time.Second); err != nil {
		return err
	}
	err := a.steps.Start(ctx, "the question consumer", func(context.Context) error { a.decisions.Start(); return nil }, a.decisions.Stop, 3*time.Second)
	if err != nil {
		return err
	}
	err = a.steps.Start(ctx, "the disconnect consumer", func(context.Context) error { a.orders.Start(); return nil }, a.orders.Stop, time.Second)
	if err != nil {
		return err
	}
	if err := a.steps.Start(ctx, "leading", func(context.Context) error { a.leading.Start(); return nil }, a.leading.Stop, 5*time.Second); err != nil {
		return err
	}
	a.log.Info("worker started", zap.String("admin", a.AdminAddr()))
	return nil
}

// Stop stops the parts in reverse order, within ctx.
func (a *App) Stop(ctx context.Context) error {
	a.log.Info("worker stopping")
	started := time.Now()
	err := a.steps.Stop(ctx)
	a.log.Info("worker stopped", zap.Duration("took", time.Since(started)), zap.Error(err))
	return err
}

// release closes the HTTP clients and the publisher.
func (a *App) release(context.Context) error {
	_ = a.out.Close() // on error its channel has ended, too
	for _, h := range a.holds {
		if h.release != nil {
			h.release()
		}
	}
	return nil
}

func (a *App) startAround(context.Context) error {
	ctx, cancel := context.WithCancel(context.Background())
	a.endThem = cancel
	for what, once := range map[string]func(context.Context) error{"presence": a.presence.Once, "upkeep": a.keep.Run} {
		a.around.Go(func() {
			amqpbus.Keep(ctx, 0, once, func(err error) {
				a.log.Warn("publisher lost, reopening", zap.String("for", what), zap.Error(err))
			})
		})
	}
	return nil
}

func (a *App) endAround(context.Context) error {
	a.endThem()
	a.around.Wait()
	return nil
}

// reply takes what comes in the reply queue and is none of the logs'.
func (a *App) reply(d *amqpbus.Delivery) {
	if d.Type != protocol.TypeDisconnect || !a.workers.Trusts(d) {
		return
	}
	if order, err := protocol.DecodeDisconnect(d.Body); err == nil {
		a.forget(order)
	}
}

// forget drops cached answers of other servers: an order to disconnect says that
// they may have changed.
func (a *App) forget(protocol.Disconnect) {
	for _, h := range a.holds {
		if h.forget != nil {
			h.forget()
		}
	}
}

// orOwn returns the users of a variable or, if there are none, the process's own.
func orOwn(users []string, bus amqpbus.Bus) []string {
	if len(users) == 0 {
		return []string{bus.User()}
	}
	return users
}

// AdminAddr is the admin address listened on; empty: none.
func (a *App) AdminAddr() string {
	if a.admin == nil {
		return ""
	}
	return a.admin.Addr()
}

// Admin is the admin listener, to which handlers can be added; nil: none.
func (a *App) Admin() *daemon.Admin { return a.admin }

// readyOn returns the reasons why this worker cannot do its work.
func (a *App) readyOn(bus amqpbus.Bus) func() []string {
	return func() []string {
		why := append(a.leading.Ready(), a.decisions.Ready()...)
		switch health := bus.Health(); {
		case !health.Connected && health.Err != nil:
			why = append(why, "not connected to the broker: "+health.Err.Error())
		case !health.Connected:
			why = append(why, "not connected to the broker")
		case health.Blocked != "":
			why = append(why, "the broker blocks publishers, free its memory or disk: "+health.Blocked)
		case health.Refused != "":
			why = append(why, "the broker refuses what is needed: "+health.Refused)
		}
		return why
	}
}
