package dev

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.uber.org/zap"

	"belfry/pkg/amqpbus/membus"
	"belfry/pkg/daemon"
	"belfry/pkg/emitter"
	gateway "belfry/services/gateway/app"
	worker "belfry/services/worker/app"
)

// Broker users in the twin. Gateway and worker use the same one, so that they trust each
// other. Events are published by another.
const (
	processUser = "belfry"
	backendUser = "backend"
)

const (
	readyWithin    = 15 * time.Second
	busWithin      = 3 * time.Second
	endpointWithin = 3 * time.Second
	roleWithin     = 20 * time.Second
)

// Dev is a running installation.
type Dev struct {
	cfg     Config
	broker  *membus.Broker
	gateway *gateway.App
	steps   daemon.Steps
}

// Start starts everything and waits until it is ready. On error it stops everything that it
// has started.
func Start(ctx context.Context, cfg Config, logger *zap.Logger) (*Dev, error) {
	d := &Dev{cfg: cfg, broker: membus.New()}
	d.steps.Logger = logger
	for _, start := range []func(context.Context, *zap.Logger) error{d.startWorker, d.startGateway, d.startEndpoint, d.awaitReady} {
		if err := start(ctx, logger); err != nil {
			return nil, errors.Join(err, d.Stop(context.WithoutCancel(ctx)))
		}
	}
	return d, nil
}

// Stop stops everything in reverse order: the emit endpoint, the gateway, the worker.
func (d *Dev) Stop(ctx context.Context) error { return d.steps.Stop(ctx) }

func (d *Dev) startWorker(ctx context.Context, logger *zap.Logger) error {
	bus := d.broker.Open(processUser)
	if err := d.steps.Start(ctx, "the worker's bus", nil, bus.Close, busWithin); err != nil {
		return err
	}
	w, err := worker.New(d.cfg.Worker, bus, logger)
	if err != nil {
		return fmt.Errorf("worker: %w", err)
	}
	return d.steps.Start(ctx, "the worker", w.Start, w.Stop, roleWithin)
}

func (d *Dev) startGateway(ctx context.Context, logger *zap.Logger) error {
	bus := d.broker.Open(processUser)
	if err := d.steps.Start(ctx, "the gateway's bus", nil, bus.Close, busWithin); err != nil {
		return err
	}
	g, err := gateway.New(d.cfg.Gateway, bus, logger)
	if err != nil {
		return fmt.Errorf("gateway: %w", err)
	}
	d.gateway = g
	return d.steps.Start(ctx, "the gateway", g.Start, g.Stop, roleWithin)
}

// startEndpoint adds the emit endpoint, the page and the manual to the admin listener.
func (d *Dev) startEndpoint(ctx context.Context, logger *zap.Logger) error {
	bus := d.broker.Open(backendUser)
	if err := d.steps.Start(ctx, "the emit endpoint's bus", nil, bus.Close, busWithin); err != nil {
		return err
	}
	e, err := emitter.OverBus(bus, emitter.Options{Shards: d.cfg.Gateway.Shards, Logger: logger})
	if err != nil {
		return err
	}
	emitter.Handle(d.gateway.Admin(), e, d.cfg.Secret.Reveal())
	d.gateway.Admin().Handle("GET /{$}", d.page())
	d.gateway.Admin().Handle("GET /manual", d.manual())
	return d.steps.Start(ctx, "the emit endpoint", nil, e.Close, endpointWithin)
}

// awaitReady waits until the gateway accepts clients.
func (d *Dev) awaitReady(ctx context.Context, _ *zap.Logger) error {
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		why := d.gateway.Ready()
		if len(why) == 0 {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("wait until it is ready (%s): %w", strings.Join(why, ", "), ctx.Err())
		}
	}
}

// Addr returns the websocket listener's address.
func (d *Dev) Addr() string { return d.gateway.Addr() }

// AdminAddr returns the address of the emit endpoint and the page.
func (d *Dev) AdminAddr() string { return d.gateway.AdminAddr() }
