// Package app assembles the gateway from its packages, and starts and stops them in
// order.
//
//	edge ── connection ── hub ── relay ── broker
//
// A stop begins with the clients: the gateway becomes not ready, waits a notice
// period, and closes its connections one by one while events still flow. Then the
// relay leaves the broker. The admin listener ends last.
package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"belfry/pkg/amqpbus"
	"belfry/pkg/amqpbus/rabbit"
	"belfry/pkg/daemon"
	"belfry/pkg/protocol"
	"belfry/pkg/tracing"
	"belfry/services/gateway/internal/connection"
	"belfry/services/gateway/internal/edge"
	"belfry/services/gateway/internal/hub"
	"belfry/services/gateway/internal/wsconn"
	"belfry/services/gateway/relay"
)

// App is one gateway. Start it once, Stop it once.
type App struct {
	cfg      Config
	id       protocol.GatewayID
	log      *zap.Logger
	hub      *hub.Hub
	relay    *relay.Relay
	edge     *edge.Edge
	admin    *daemon.Admin
	server   *http.Server
	poller   *wsconn.Poller
	tracer   *tracing.Tracer // nil: none is configured
	steps    daemon.Steps
	draining atomic.Bool

	listener net.Listener
	stopHub  context.CancelFunc
	running  sync.WaitGroup
}

// Run runs a gateway on RabbitMQ until ctx ends, then stops it within
// cfg.Grace, of which closing the log is a part.
func Run(ctx context.Context, cfg Config, log *daemon.Log) error {
	logger, registry := log.Logger, daemon.NewRegistry()
	registry.MustRegister(log.Dropped())
	bus, err := rabbit.Open(rabbit.Options{
		URL: cfg.AmqpURL.Reveal(), Name: "gateway " + cfg.Name, Insecure: cfg.AmqpInsecure,
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
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), cfg.Grace()-3*time.Second)
	defer cancel()
	return a.Stop(last)
}

// New puts a gateway together on a bus that the caller opens and closes.
func New(cfg Config, bus amqpbus.Bus, logger *zap.Logger) (*App, error) {
	return newApp(cfg, bus, daemon.NewRegistry(), logger)
}

func newApp(cfg Config, bus amqpbus.Bus, registry *prometheus.Registry, logger *zap.Logger) (*App, error) {
	proxies, err := cfg.proxies()
	if err != nil {
		return nil, err
	}
	a := &App{cfg: cfg, id: protocol.GatewayID(cfg.Name + "." + protocol.NewIncarnation())}
	a.poller = wsconn.NewPoller()
	a.log = logger.With(zap.String("gateway", string(a.id)))
	a.steps.Logger = a.log
	slow := new(atomic.Int64)
	a.hub = hub.New(hub.Options{Logger: a.log, Registerer: registry, Slow: slow})
	if a.tracer, err = openTracer(cfg, a.id, registry, a.log); err != nil {
		return nil, err
	}
	layout := cfg.Layout()
	a.relay, err = relay.New(relay.Options{
		Bus: bus, Sink: sinkOf(a.hub, a.tracer), Gateway: a.id, Shards: layout.Shards, Quorum: layout.Quorum,
		Undeclared: !cfg.Declare, WorkerUsers: cfg.WorkerUsers, Linger: cfg.Linger, Logger: a.log, Registerer: registry,
	})
	if err != nil {
		return nil, err
	}
	connections := connection.New(connection.Options{
		MessageRate: cfg.MessageRate, MessageBurst: int(5 * cfg.MessageRate), MaxGroups: cfg.MaxGroups,
		GroupRate: cfg.GroupRate, GroupBurst: max(int(10*cfg.GroupRate), 2*cfg.MaxGroups), Registerer: registry,
	}, a.relay, a.hub, a.log)
	a.edge, err = edge.New(edge.Options{
		Logger: a.log, Registerer: registry, Connections: connections, Ready: a.relay.Ready,
		Conn: wsconn.Options{
			MaxMessage: cfg.MaxMessageBytes, Outbox: cfg.OutboxBytes, PingInterval: cfg.PingInterval, Slow: slow, Poller: a.poller,
		},
		AllowedOrigins: cfg.AllowedOrigins, AllowedHosts: cfg.AllowedHosts, TrustedProxies: proxies,
		TokenCookies:   cfg.TokenCookies,
		MaxConnections: cfg.MaxConnections, MaxPerUser: cfg.MaxPerUser, MaxPerAddress: cfg.MaxPerAddress,
		HandshakeRate: cfg.HandshakeRate, HandshakeBurst: int(2 * cfg.HandshakeRate),
	})
	if err != nil {
		return nil, fmt.Errorf("set up the listener: %w", err)
	}
	a.admin = daemon.NewAdmin(daemon.AdminOptions{
		Listen: cfg.AdminListen, AllowRemote: cfg.AdminAllowRemote, Gatherer: registry, Ready: a.Ready, Logger: a.log,
	})
	a.server = edge.NewServer(a.edge, a.log)
	return a, nil
}

// Start starts the parts in order. It does not wait for the broker: see Ready.
func (a *App) Start(ctx context.Context) error {
	const short = 3 * time.Second
	if err := a.steps.Start(ctx, "the admin listener", func(context.Context) error { return a.admin.Start() }, a.admin.Stop, short); err != nil {
		return err
	}
	if err := a.steps.Start(ctx, "tracing", nil, a.tracer.Close, time.Second); err != nil {
		return err
	}
	if err := a.steps.Start(ctx, "the poller", a.openPoller, a.closePoller, short); err != nil {
		return err
	}
	if err := a.steps.Start(ctx, "the hub", a.startHub, a.endHub, short); err != nil {
		return err
	}
	err := a.steps.Start(ctx, "the relay", func(context.Context) error { a.relay.Start(); return nil }, a.relay.Stop, short)
	if err != nil {
		return err
	}
	if err := a.steps.Start(ctx, "the public listener", a.listen, a.drain, a.cfg.DrainNotice+a.cfg.DrainPeriod+lastClose); err != nil {
		return err
	}
	a.log.Info("gateway started", zap.String("listen", a.Addr()), zap.String("admin", a.AdminAddr()),
		zap.String("broker", a.cfg.Endpoint()), zap.Int("shards", a.cfg.Shards), zap.String("version", daemon.Version))
	return nil
}

// Stop stops the parts in reverse order, within ctx.
func (a *App) Stop(ctx context.Context) error {
	a.log.Info("gateway stopping", zap.Int("connections", a.hub.Len()))
	started := time.Now()
	err := a.steps.Stop(ctx)
	a.log.Info("gateway stopped", zap.Duration("took", time.Since(started)), zap.Error(err))
	return err
}

// Ready returns the reasons why new clients should be sent elsewhere.
func (a *App) Ready() []string {
	why := a.relay.Ready()
	if a.draining.Load() {
		why = append(why, "draining")
	}
	return why
}

// Addr is the public address listened on, or empty before Start.
func (a *App) Addr() string {
	if a.listener == nil {
		return ""
	}
	return a.listener.Addr().String()
}

// AdminAddr is the admin address listened on, or empty before Start.
func (a *App) AdminAddr() string { return a.admin.Addr() }

// Admin is the admin listener, to which handlers can be added.
func (a *App) Admin() *daemon.Admin { return a.admin }

func (a *App) startHub(context.Context) error {
	ctx, cancel := context.WithCancel(context.Background())
	a.stopHub = cancel
	a.running.Go(func() { a.hub.Run(ctx) })
	return nil
}

func (a *App) endHub(context.Context) error {
	a.stopHub()
	a.running.Wait()
	return nil
}

func (a *App) listen(ctx context.Context) error {
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", a.cfg.Listen)
	if err != nil {
		return fmt.Errorf("BELFRY_LISTEN: %w", err)
	}
	a.listener = l
	limited := a.edge.Limit(l)
	a.running.Go(func() {
		if err := a.server.Serve(limited); !errors.Is(err, http.ErrServerClosed) {
			a.log.Error("client listener failed: no new client can connect, restart this gateway", zap.Error(err))
		}
	})
	return nil
}
