package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"belfry/e2e/wsclient"
)

// opener opens the n-th connection.
type opener func(ctx context.Context, n int) (*wsclient.Conn, error)

// answerWithin bounds an answer during a storm of connections.
const answerWithin = time.Minute

// dial opens a websocket.
func dial(ctx context.Context, address string, n int) (*wsclient.Conn, error) {
	conn, answer, err := wsclient.Dial(ctx, wsclient.Request{
		Addr: address, Timeout: answerWithin, Header: []wsclient.Field{{Name: "Authorization", Value: "Bearer " + token}},
		From: fmt.Sprintf("127.0.0.%d", 2+n/5000), // one address would come near the end of its ports
	})
	if err != nil {
		return nil, err
	}
	if conn == nil {
		return nil, fmt.Errorf("the handshake was answered with HTTP %d %s", answer.Status, answer.Body)
	}
	return conn, nil
}

// ask sends a message, unless it is empty, and expects an answer that begins so.
func ask(conn *wsclient.Conn, message, beginning string) error {
	if message != "" {
		if err := conn.Text(message); err != nil {
			return err
		}
	}
	answer, err := conn.Next(answerWithin)
	if err != nil {
		return err
	}
	if !strings.HasPrefix(answer, beginning) {
		return fmt.Errorf("got %.200s, expected %s", answer, beginning)
	}
	return nil
}

// subscribed opens connections of the gateway that are subscribed to groups.
func subscribed(address string, groups func(n int) map[string][]string) opener {
	return func(ctx context.Context, n int) (*wsclient.Conn, error) {
		message, err := json.Marshal(map[string]any{"groups": groups(n)})
		if err != nil {
			return nil, fmt.Errorf("encode the groups: %w", err)
		}
		conn, err := dial(ctx, address, n)
		if err != nil {
			return nil, err
		}
		if err = ask(conn, "", `{"accept": true`); err == nil {
			err = ask(conn, string(message), `{"groups_current"`)
		}
		if err != nil {
			conn.Drop()
			return nil, err
		}
		return conn, nil
	}
}

// openers is how many clients connect at a time: a storm after a deploy, in which
// questions to the worker wait for each other.
const openers = 256

// openMany opens count connections, openers at a time; progress is called now and
// then.
func openMany(ctx context.Context, count int, open opener, progress func(done int)) ([]*wsclient.Conn, error) {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	out := make([]*wsclient.Conn, count)
	places := make(chan struct{}, openers)
	var opening sync.WaitGroup
	report := time.Now()
feed:
	for n := range count {
		if time.Since(report) > 2*time.Second {
			progress(n)
			report = time.Now()
		}
		select {
		case places <- struct{}{}:
		case <-ctx.Done():
			break feed
		}
		opening.Go(func() {
			defer func() { <-places }()
			conn, err := open(ctx, n)
			if err != nil {
				fail(fmt.Errorf("connection %d: %w", n, err))
			}
			out[n] = conn
		})
	}
	opening.Wait()
	if err := context.Cause(ctx); err != nil {
		closeAll(out)
		return nil, err
	}
	return out, nil
}

// closeAll drops connections and so ends those who read from them.
func closeAll(conns []*wsclient.Conn) {
	for _, c := range conns {
		if c != nil {
			c.Drop()
		}
	}
}
