package wsclient

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/sha1" // RFC 6455 4.2.2 asks for it
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// Request is a handshake, by default a good one; a test changes what it is
// about.
type Request struct {
	Addr    string // host:port to dial
	From    string // the address to dial from; default the system's choice
	Path    string // with the query; default /websocket/
	Method  string // default GET
	Proto   string // default HTTP/1.1
	Host    string // default Addr
	Token   string // sent as the query parameter
	Version string // default 13; "-" leaves it out
	Key     string // default random; "-" leaves it out
	Upgrade string // default websocket; "-" leaves it and Connection out
	Header  []Field
	After   []byte        // bytes sent right behind the request
	Timeout time.Duration // for the answer; default 10 s
	TLS     *tls.Config   // nil: without TLS
}

// Field is one header line. A list, because a test may send a name twice.
type Field struct{ Name, Value string }

// Dial performs the handshake. A refusal is no error: conn is nil and the
// response, its body read, tells why.
func Dial(ctx context.Context, r Request) (*Conn, *Answer, error) {
	r = r.withDefaults()
	raw, err := r.Raw(ctx)
	if err != nil {
		return nil, nil, err
	}
	_ = raw.SetDeadline(time.Now().Add(r.Timeout))
	stop := context.AfterFunc(ctx, func() { _ = raw.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if _, err := raw.Write(append([]byte(r.text()), r.After...)); err != nil {
		_ = raw.Close()
		return nil, nil, fmt.Errorf("send the handshake: %w", err)
	}
	conn, answer, err := Receive(raw)
	if err != nil || conn == nil {
		_ = raw.Close()
		return nil, answer, err
	}
	if want := acceptOf(r.Key); answer.Header.Get("Sec-WebSocket-Accept") != want {
		_ = raw.Close()
		return nil, answer, fmt.Errorf("Sec-WebSocket-Accept is %q, not %q", answer.Header.Get("Sec-WebSocket-Accept"), want)
	}
	return conn, answer, nil
}

// Raw dials and writes nothing: the handshake is the caller's.
func (r Request) Raw(ctx context.Context) (net.Conn, error) {
	var d net.Dialer
	if r.From != "" {
		d.LocalAddr = &net.TCPAddr{IP: net.ParseIP(r.From)}
	}
	raw, err := d.DialContext(ctx, "tcp", r.Addr)
	if err != nil {
		return nil, fmt.Errorf("dial the gateway: %w", err)
	}
	if r.TLS != nil {
		return tls.Client(raw, r.TLS), nil // shakes hands with the first write
	}
	return raw, nil
}

// Text is the request as Dial sends it.
func (r Request) Text() string { return r.withDefaults().text() }

// Answer is the HTTP answer to a handshake.
type Answer struct {
	Status int
	Header http.Header
	Body   string
}

// Receive reads the answer to a handshake that was written to raw by hand.
func Receive(raw net.Conn) (*Conn, *Answer, error) {
	br := bufio.NewReaderSize(raw, 4096)
	response, err := http.ReadResponse(br, nil)
	if err != nil {
		return nil, nil, fmt.Errorf("read the handshake's answer: %w", err)
	}
	answer := &Answer{Status: response.StatusCode, Header: response.Header}
	if response.StatusCode != http.StatusSwitchingProtocols {
		body, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
		answer.Body = string(body)
		_ = response.Body.Close()
		if err != nil {
			return nil, answer, fmt.Errorf("read the refusal's body: %w", err)
		}
		return nil, answer, nil
	}
	_ = raw.SetDeadline(time.Time{})
	return &Conn{raw: raw, br: br}, answer, nil
}

func (r Request) withDefaults() Request {
	set := func(field *string, value string) {
		if *field == "" {
			*field = value
		}
	}
	set(&r.Path, "/websocket/")
	set(&r.Method, http.MethodGet)
	set(&r.Proto, "HTTP/1.1")
	set(&r.Host, r.Addr)
	set(&r.Version, "13")
	set(&r.Upgrade, "websocket")
	if r.Key == "" {
		var b [16]byte
		_, _ = rand.Read(b[:])
		r.Key = base64.StdEncoding.EncodeToString(b[:])
	}
	if r.Token != "" {
		separator := "?"
		if strings.Contains(r.Path, "?") {
			separator = "&"
		}
		r.Path += separator + "token=" + r.Token
	}
	if r.Timeout == 0 {
		r.Timeout = 10 * time.Second
	}
	return r
}

func (r Request) text() string {
	var b strings.Builder
	line := func(name, value string) {
		if value != "-" {
			b.WriteString(name + ": " + value + "\r\n")
		}
	}
	b.WriteString(r.Method + " " + r.Path + " " + r.Proto + "\r\n")
	line("Host", r.Host)
	if r.Upgrade != "-" {
		line("Connection", "Upgrade")
		line("Upgrade", r.Upgrade)
	}
	line("Sec-WebSocket-Version", r.Version)
	line("Sec-WebSocket-Key", r.Key)
	for _, f := range r.Header {
		b.WriteString(f.Name + ": " + f.Value + "\r\n")
	}
	b.WriteString("\r\n")
	return b.String()
}

// acceptOf is Sec-WebSocket-Accept for a key (RFC 6455 4.2.2).
func acceptOf(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}
