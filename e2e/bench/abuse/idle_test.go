//go:build drills

package abuse

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"belfry/e2e/harness"
)

// keepAlive opens connections of one address, each of which sends a request that is
// answered, and leaves them open. It returns those that were answered.
func keepAlive(t *testing.T, addr string, count int) []net.Conn {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(homeOfAttacks)}, Timeout: time.Second}
	var open []net.Conn
	for range count {
		conn, err := d.DialContext(t.Context(), "tcp", addr)
		if err != nil {
			continue
		}
		t.Cleanup(func() { _ = conn.Close() })
		_ = conn.SetDeadline(time.Now().Add(200 * time.Millisecond))
		if _, err := io.WriteString(conn, "GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			continue
		}
		open = append(open, conn)
	}
	return open
}

// stay counts those that the server has not closed two seconds later.
func stay(conns []net.Conn) int {
	var open atomic.Int64
	var all sync.WaitGroup
	for _, conn := range conns {
		all.Go(func() {
			_ = conn.SetReadDeadline(time.Now().Add(2 * time.Second))
			_, err := io.Copy(io.Discard, conn)
			if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
				open.Add(1)
			}
		})
	}
	all.Wait()
	return int(open.Load())
}

// health asks the admin listener on a connection of its own.
func health(t *testing.T, in *harness.Installation) deed {
	client := &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	return deed{"health", func() error {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+in.Gateways[0].Admin+"/health/live", nil)
		if err != nil {
			return err
		}
		answer, err := client.Do(r)
		if err != nil {
			return fmt.Errorf("no answer")
		}
		_ = answer.Body.Close()
		return nil
	}}
}

// TestAbuseKeepAlive: connections of one address that never become websockets.
func TestAbuseKeepAlive(t *testing.T) {
	for _, attack := range []struct {
		name        string
		descriptors uint64
		connections int
	}{
		{"6,000 connections of one address in front of the upgrade", 20_000, 6000},
		{"3,000 such connections of a gateway that may open 2,000 files", 2000, 3000},
	} {
		t.Run(attack.name, func(t *testing.T) {
			in := harness.Start(t, harness.Shape{Workers: 1, Shards: 1})
			limited(t, attack.descriptors, func() { in.AddGateway(t, "gateway1") })
			in.WaitReady(t, patience)
			in.AwaitLeaders(t)
			stayed := 0
			judge(t, attack.name, []deed{health(t, in), handshakes(t, in, always(harness.TokenNamed))}, func(context.Context, *sync.WaitGroup) {
				conns := keepAlive(t, in.Addr(0), attack.connections)
				stayed = stay(conns)
			})
			note(attack.name, "%d connections stayed", stayed)
		})
	}
}

// limited starts something with a limit of open files.
func limited(t *testing.T, files uint64, start func()) {
	t.Helper()
	var own syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &own); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: min(files, own.Max), Max: min(files, own.Max)}); err != nil {
		t.Fatal(err)
	}
	start()
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &own); err != nil {
		t.Skipf("only root can raise the limit of open files again: %v", err)
	}
}
