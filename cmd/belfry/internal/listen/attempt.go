package listen

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/coder/websocket"

	"belfry/pkg/protocol"
)

const (
	handshakeWithin = 15 * time.Second // the gateway itself gives up after 5 s
	answerWithin    = 15 * time.Second
	pingEvery       = 20 * time.Second
	pongWithin      = 10 * time.Second
	maxFrame        = 4 << 20
)

// attempt makes one connection and handles its frames. It returns nil after the last event.
func (l *listener) attempt(ctx context.Context) error {
	conn, err := l.dial(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.CloseNow() }()
	conn.SetReadLimit(maxFrame)
	if err := l.subscribe(ctx, conn); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	pinged := make(chan struct{})
	go func() {
		defer close(pinged)
		ping(ctx, conn)
	}()
	defer func() {
		cancel()
		<-pinged
	}()
	for {
		_, text, err := conn.Read(ctx)
		if err != nil {
			return ended(err)
		}
		done, err := l.frame(text)
		if err != nil {
			return err
		}
		if done {
			_ = conn.Close(websocket.StatusNormalClosure, "")
			return nil
		}
	}
}

// ping pings the gateway, and drops the connection if it does not answer.
func ping(ctx context.Context, conn *websocket.Conn) {
	tick := time.NewTicker(pingEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		within, cancel := context.WithTimeout(ctx, pongWithin)
		err := conn.Ping(within)
		cancel()
		if err != nil {
			_ = conn.CloseNow()
			return
		}
	}
}

// dial makes the handshake. The token is sent in a header, because addresses are written to
// logs.
func (l *listener) dial(ctx context.Context) (*websocket.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, handshakeWithin)
	defer cancel()
	conn, response, err := websocket.Dial(ctx, l.URL, &websocket.DialOptions{ //nolint:bodyclose // Dial has replaced the body
		HTTPClient: l.client,
		HTTPHeader: http.Header{"Authorization": {"Bearer " + l.Token}},
	})
	if err == nil {
		return conn, nil
	}
	if response == nil || response.StatusCode == http.StatusSwitchingProtocols {
		return nil, fmt.Errorf("connect: %w", err)
	}
	return nil, refusal(response)
}

// refusal returns the error for an HTTP answer that is not a handshake.
func refusal(response *http.Response) error {
	var said struct{ Error string }
	text, _ := io.ReadAll(io.LimitReader(response.Body, 1<<10))
	if json.Unmarshal(text, &said) != nil || said.Error == "" {
		said.Error = "the answer is not a gateway's: check BELFRY_URL"
	}
	err := fmt.Errorf("connect: HTTP %d: %s", response.StatusCode, said.Error)
	switch response.StatusCode {
	case http.StatusServiceUnavailable, http.StatusTooManyRequests, http.StatusBadGateway, http.StatusGatewayTimeout:
		seconds, _ := strconv.Atoi(response.Header.Get("Retry-After"))
		return later{err, time.Duration(max(seconds, 0)) * time.Second}
	default:
		return final{err}
	}
}

// subscribe waits until the connection is accepted, subscribes to the groups, and waits until
// they are active.
func (l *listener) subscribe(ctx context.Context, conn *websocket.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	var first struct{ Accept bool }
	if err := read(ctx, conn, &first); err != nil {
		return err
	}
	if !first.Accept {
		return final{errors.New("the token was refused")}
	}
	if err := conn.Write(ctx, websocket.MessageText, message(l.Groups)); err != nil {
		return ended(err)
	}
	for {
		var answer struct {
			Error   string
			Current *[]protocol.Group `json:"groups_current"`
		}
		if err := read(ctx, conn, &answer); err != nil {
			return err
		}
		switch {
		case answer.Current != nil:
			return l.active(*answer.Current)
		case answer.Error == protocol.Unavailable:
			return errors.New(answer.Error)
		case strings.HasPrefix(answer.Error, "access denied to channel "):
			l.Say("%s", answer.Error)
		case answer.Error != "":
			return final{fmt.Errorf("the gateway rejected the groups: %s", answer.Error)}
		}
	}
}

// message returns the client message that subscribes to the groups.
func message(groups []protocol.Group) []byte {
	set := map[string][]string{}
	for _, g := range groups {
		set[g.Name()] = append(set[g.Name()], g.Item())
	}
	text, _ := json.Marshal(map[string]any{"groups": set}) // strings always encode
	return text
}

func read(ctx context.Context, conn *websocket.Conn, v any) error {
	_, text, err := conn.Read(ctx)
	if err != nil {
		return ended(err)
	}
	if err := json.Unmarshal(text, v); err != nil {
		return final{fmt.Errorf("read the gateway's answer: %w", err)}
	}
	return nil
}

// ended returns the error for the end of a connection.
func ended(err error) error {
	var closed websocket.CloseError
	if !errors.As(err, &closed) {
		return fmt.Errorf("the connection was lost: %w", err)
	}
	told := fmt.Errorf("the gateway closed the connection: %d %s", closed.Code, closed.Reason)
	rule, known := protocol.CloseCode(closed.Code).Rule()
	if known && (!rule.Reconnect || rule.NewToken) {
		return final{told}
	}
	if text, found := strings.CutPrefix(closed.Reason, "retry_after_ms="); found {
		if ms, err := strconv.Atoi(text); err == nil && ms >= 0 {
			return later{told, time.Duration(ms) * time.Millisecond}
		}
	}
	return told
}
