package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"nhooyr.io/websocket"

	"belfry/e2e/wsclient"
)

// serveIdle is the baseline of an idle connection: the same websocket library as the
// gateway's in the form that its documentation shows. The handler's goroutine reads;
// a second one writes what comes over a channel, here the client's own messages.
func serveIdle(in io.Reader, out io.Writer) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	server := &http.Server{Handler: http.HandlerFunc(echo), ReadHeaderTimeout: time.Minute}
	if _, err := fmt.Fprintln(out, l.Addr()); err != nil {
		return err
	}
	go func() {
		_, _ = io.Copy(io.Discard, in) // until the benchmark lets go of it
		_ = server.Close()
	}()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}

// waitingFrames is how many messages may wait for a client of serveIdle.
const waitingFrames = 16

func echo(w http.ResponseWriter, r *http.Request) {
	conn, err := websocket.Accept(w, r, nil)
	if err != nil {
		return // it has answered
	}
	defer func() { _ = conn.CloseNow() }()
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	waiting := make(chan []byte, waitingFrames)
	go func() {
		for {
			select {
			case message := <-waiting:
				if conn.Write(ctx, websocket.MessageText, message) != nil {
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	for {
		_, message, err := conn.Read(ctx)
		if err != nil {
			return
		}
		select {
		case waiting <- message:
		case <-ctx.Done():
			return
		}
	}
}

// echoed opens connections of serveIdle that have been answered once.
func echoed(address string) opener {
	return func(ctx context.Context, n int) (*wsclient.Conn, error) {
		conn, err := dial(ctx, address, n)
		if err != nil {
			return nil, err
		}
		const hello = `{"hello": true}`
		if err := ask(conn, hello, hello); err != nil {
			conn.Drop()
			return nil, err
		}
		return conn, nil
	}
}
