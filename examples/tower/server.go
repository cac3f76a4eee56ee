package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"go.uber.org/zap"

	"belfry/examples/tower/api"
	"belfry/examples/tower/runner"
	"belfry/examples/tower/store"
	"belfry/examples/tower/web"
	"belfry/pkg/emitter"
)

// stopWithin bounds the end: requests, jobs, the last events.
const stopWithin = 8 * time.Second

// settings is what a server needs.
type settings struct {
	Listen, Database, WebSocketURL string
	SessionLimit                   int
	Hosts                          []string
	DemoUsers                      bool
	TokenKey                       []byte
	AuthorizeSecret                string
	Emitter                        emitter.Options
	// Started is called when the page is there; may be nil.
	Started func()
}

// demoUsers may log in with demoPassword. The first sees every job.
var demoUsers = []string{"alice", "bob"}

const demoPassword = "tower"

// serve runs the application until ctx ends.
func serve(ctx context.Context, s settings, log *zap.Logger) (err error) {
	if s.SessionLimit < 1 {
		return errLimit
	}
	var listen net.ListenConfig
	listener, err := listen.Listen(ctx, "tcp", s.Listen)
	if err != nil {
		return fmt.Errorf("listen on %s: %w: end the program that has it, or choose another address with --listen (TOWER_LISTEN)", s.Listen, err)
	}
	defer func() { _ = listener.Close() }() // the server has closed it, unless it did not start
	db, err := store.Open(ctx, s.Database)
	if err != nil {
		return fmt.Errorf("--database (TOWER_DATABASE): %w", err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if s.DemoUsers {
		for i, name := range demoUsers {
			if err := db.EnsureUser(ctx, name, demoPassword, i == 0); err != nil {
				return err
			}
		}
	}
	events, err := emitter.Open(s.Emitter)
	if err != nil {
		return fmt.Errorf("--amqp-url (BELFRY_AMQP_URL): %w", err)
	}
	emit := func(ctx context.Context, group string, payload []byte) {
		_ = events.Emit(ctx, group, payload) // quiet: it logs and counts by itself
	}
	jobs := runner.New(db, emit, log)
	if err := jobs.Recover(ctx); err != nil {
		return err
	}
	var (
		ended     = &sockets{through: events, log: log}
		schedules = jobs.Schedules()
		clock     sync.WaitGroup
	)
	ticking, stopClock := context.WithCancel(ctx)
	defer stopClock()
	clock.Go(func() { schedules.Run(ticking) })
	server := &http.Server{
		ReadHeaderTimeout: 10 * time.Second,
		Handler: api.New(api.Options{
			Store: db, Runner: jobs, Schedules: schedules, Emit: emit, Disconnect: ended.close, Log: log,
			TokenKey: s.TokenKey, TokenLife: tokenLife, AuthorizeSecret: s.AuthorizeSecret,
			SessionLimit: s.SessionLimit, WebSocketURL: s.WebSocketURL, Hosts: s.Hosts, Web: web.Handler(),
		}),
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	log.Info("tower started", zap.Stringer("listen", listener.Addr()))
	if s.Started != nil {
		s.Started()
	}
	select {
	case <-ctx.Done():
	case err = <-served:
		err = fmt.Errorf("serve: %w", err)
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWithin)
	defer cancel()
	err = errors.Join(err, server.Shutdown(last))
	stopClock()
	clock.Wait()
	jobs.Stop()
	if flushed := events.Close(last); flushed != nil {
		log.Warn("the last events were not confirmed", zap.Error(flushed))
	}
	ended.wait() // a closed emitter lets nobody wait
	return err
}
