//go:build drills

package abuse

import (
	"bufio"
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"belfry/e2e/harness"
)

// knock sends requests on one connection, many at a time, and reads the answers, until
// the server closes it. It returns how many were answered.
func knock(ctx context.Context, in *harness.Installation, request string, atATime int) int {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(homeOfAttacks)}, Timeout: time.Second}
	conn, err := d.DialContext(ctx, "tcp", in.Addr(0))
	if err != nil {
		return 0
	}
	defer func() { _ = conn.Close() }()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	go func() {
		many := []byte(strings.Repeat(request, atATime))
		for {
			if _, err := conn.Write(many); err != nil {
				return
			}
		}
	}()
	answers := bufio.NewReader(conn)
	for n := 0; ; n++ {
		response, err := http.ReadResponse(answers, nil)
		if err != nil {
			return n
		}
		_ = response.Body.Close()
	}
}

// TestAbuseStrangers: handshakes without a token at full speed, on three connections.
func TestAbuseStrangers(t *testing.T) {
	in := harness.Start(t, harness.Shape{Gateways: 1, Workers: 1, Shards: 1})
	in.AwaitLeaders(t)
	request := "GET /websocket/ HTTP/1.1\r\nHost: " + in.Addr(0) + "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
	var answered atomic.Int64
	begin := time.Now()
	const what = "handshakes without a token, 3 connections at full speed"
	judge(t, what, []deed{handshakes(t, in, always(harness.TokenNamed)), subscribing(t, in)}, func(ctx context.Context, attackers *sync.WaitGroup) {
		begin = time.Now()
		for range 3 {
			attackers.Go(func() {
				for ctx.Err() == nil {
					answered.Add(int64(knock(ctx, in, request, 16)))
				}
			})
		}
	})
	note(what, "%.0f requests a second were answered", float64(answered.Load())/time.Since(begin).Seconds())
}

// TestAbuseIntrospection: tokens that the server does not know, each another one, from
// eight addresses.
func TestAbuseIntrospection(t *testing.T) {
	server := slow(t, introspectionTakes, func(r *http.Request) any {
		if !strings.HasPrefix(r.PostFormValue("token"), "honest-") {
			return map[string]any{"active": false}
		}
		return map[string]any{"active": true, "sub": "alice", "groups": []string{"*"}}
	})
	in := harness.Start(t, harness.Shape{Gateways: 1, Workers: 1, Shards: 1, WorkerEnv: []string{
		"BELFRY_TOKENS_FILE=", "BELFRY_INTROSPECTION_URL=" + server,
	}})
	in.AwaitLeaders(t)
	const what = "tokens that an introspection of 0.3 s does not know, 200 at a time from 8 addresses"
	fresh := func() string { return "honest-" + rand.Text() }
	judge(t, what, []deed{handshakes(t, in, fresh)}, func(ctx context.Context, attackers *sync.WaitGroup) {
		for i := range 200 {
			attackers.Go(func() {
				for ctx.Err() == nil {
					begin := time.Now()
					_, _ = dial(ctx, in, fmt.Sprintf("127.0.1.%d", 1+i%8), "stranger-"+rand.Text()) // it is turned away
					within(ctx, begin)
				}
			})
		}
	})
}
