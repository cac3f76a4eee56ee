package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"time"

	"go.uber.org/zap"
)

// disconnecter closes a user's websockets: those whose token names the session.
// An emitter is one.
type disconnecter interface {
	Disconnect(ctx context.Context, user, session string) error
}

// sockets closes the websockets of sessions that have ended, beside the request
// that ended them: who logs out does not wait for a broker that is away.
type sockets struct {
	through disconnecter
	log     *zap.Logger
	closing sync.WaitGroup
}

func (s *sockets) close(ctx context.Context, user int64, session string) {
	s.closing.Go(func() {
		if err := s.through.Disconnect(ctx, strconv.FormatInt(user, 10), session); err != nil {
			s.log.Warn("websockets of an ended session stay open until their token expires", zap.Int64("user", user), zap.Error(err))
		}
	})
}

// wait returns when all that was asked for is done or given up.
func (s *sockets) wait() { s.closing.Wait() }

// belfry is `belfry dev` as a child process, with secrets that it shares with
// the application.
type belfry struct {
	program string
	env     []string
	log     string // what it prints goes there

	tokenKey        []byte
	authorizeSecret string
	emitSecret      string
}

// restartAfter is the pause before belfry is started again.
const restartAfter = time.Second

// keep runs belfry until ctx ends, and again whenever it ends before.
func (b *belfry) keep(ctx context.Context) error {
	for {
		started := time.Now()
		err := b.run(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if time.Since(started) < restartAfter {
			tail, _ := os.ReadFile(b.log)
			return fmt.Errorf("belfry ended at once: %w\n%s", err, tail)
		}
		_, _ = fmt.Fprintf(os.Stderr, "belfry ended (%v) and is started again\n", err)
		select {
		case <-ctx.Done():
		case <-time.After(restartAfter):
		}
	}
}

// run is one life of the child. When ctx ends it is asked to stop.
func (b *belfry) run(ctx context.Context) error {
	log, err := os.OpenFile(b.log, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("open belfry's log: %w", err)
	}
	defer func() { _ = log.Close() }()
	cmd := exec.CommandContext(ctx, b.program, "dev") //nolint:gosec // the program that make built
	cmd.Env, cmd.Stdout, cmd.Stderr = b.env, log, log
	// Ctrl-C is for this process, which stops the child in order.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 20 * time.Second
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", b.program, err)
	}
	_, _ = fmt.Fprintf(os.Stderr, "Belfry runs as process %d. See a crash, and how the page heals: kill -9 %[1]d\n", cmd.Process.Pid)
	return cmd.Wait()
}
