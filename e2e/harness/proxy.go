package harness

import (
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Weather is how one direction of a link behaves. The zero value is fair.
type Weather struct {
	Hold    bool          // what comes waits until this is unset; so does the news of an end
	Delay   time.Duration // what comes goes on so much later
	Rate    int           // bytes a second; 0: as fast as it can
	Segment int           // bytes of one write; 0: as it comes
}

// Proxy is a stretch of network in front of one address. It passes TCP streams
// on and behaves as badly as it is told. New links get the weather of Set.
// Methods may be called concurrently.
type Proxy struct {
	Addr string // dial here

	target   string
	listener net.Listener
	running  sync.WaitGroup

	mu       sync.Mutex
	up, down Weather
	links    []*Link
	closed   bool
}

// Link is one TCP stream through a Proxy.
type Link struct {
	client, server net.Conn
	up, down       *way // to the server, to the client
}

// StartProxy listens on a free port and passes on to target. It ends with the test.
func StartProxy(t testing.TB, target string) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{Addr: l.Addr().String(), target: target, listener: l}
	p.running.Go(p.accept)
	t.Cleanup(p.stop)
	return p
}

// Through starts a proxy in front of the broker. The second value is the
// environment of who goes through it.
func (b *Broker) Through(t testing.TB) (*Proxy, string) {
	t.Helper()
	p := StartProxy(t, b.node.Address())
	return p, "BELFRY_AMQP_URL=" + strings.Replace(b.URL(), b.node.Address(), p.Addr, 1)
}

// Set changes the weather of all links, and of those to come: up is towards the
// target, down from it.
func (p *Proxy) Set(up, down Weather) {
	p.mu.Lock()
	p.up, p.down = up, down
	p.mu.Unlock()
	for _, l := range p.Links() {
		l.Set(up, down)
	}
}

// Links are those that have not ended.
func (p *Proxy) Links() []*Link {
	p.mu.Lock()
	defer p.mu.Unlock()
	var open []*Link
	for _, l := range p.links {
		if !l.up.over() || !l.down.over() {
			open = append(open, l)
		}
	}
	p.links = open
	return slices.Clone(open)
}

// Cut resets both ends of all links.
func (p *Proxy) Cut() {
	for _, l := range p.Links() {
		l.CutClient()
		l.CutServer()
	}
}

// Set changes the weather of this link alone.
func (l *Link) Set(up, down Weather) {
	l.up.set(up)
	l.down.set(down)
}

// CutClient resets the client's end. Where Hold is set the server does not hear
// of it, and still gets what was held when Hold is unset.
func (l *Link) CutClient() { reset(l.client) }

// CutServer resets the server's end, likewise.
func (l *Link) CutServer() { reset(l.server) }

// reset closes with RST.
func reset(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.Close()
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return // stopped
		}
		p.running.Go(func() { p.pass(client) })
	}
}

// queued bounds the bytes that the kernel takes ahead of a slow link, a socket.
const queued = 32 << 10

// pass lives through one link.
func (p *Proxy) pass(client net.Conn) {
	server, err := net.DialTimeout("tcp", p.target, 5*time.Second)
	if err != nil {
		reset(client)
		return
	}
	for _, c := range []net.Conn{client, server} {
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.SetReadBuffer(queued)
		}
	}
	p.mu.Lock()
	l := &Link{client: client, server: server, up: newWay(p.up), down: newWay(p.down)}
	closed := p.closed
	p.links = append(p.links, l)
	p.mu.Unlock()
	if closed {
		l.end()
	}
	p.running.Go(func() { l.up.run(server, client) })
	l.down.run(client, server)
}

func (l *Link) end() {
	l.Set(Weather{}, Weather{})
	reset(l.client)
	reset(l.server)
}

func (p *Proxy) stop() {
	p.mu.Lock()
	p.closed, p.up, p.down = true, Weather{}, Weather{}
	p.mu.Unlock()
	_ = p.listener.Close()
	for _, l := range p.Links() {
		l.end()
	}
	p.running.Wait()
}

// way is one direction of a link.
type way struct {
	mu      sync.Mutex
	weather Weather       // guarded by mu
	changed chan struct{} // guarded by mu; closed at the next change
	done    chan struct{} // closed when nothing more is passed on
}

func newWay(w Weather) *way {
	return &way{weather: w, changed: make(chan struct{}), done: make(chan struct{})}
}

func (w *way) set(weather Weather) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.weather = weather
	close(w.changed)
	w.changed = make(chan struct{})
}

func (w *way) now() (Weather, <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.weather, w.changed
}

func (w *way) over() bool {
	select {
	case <-w.done:
		return true
	default:
		return false
	}
}

// piece is what was read at once.
type piece struct {
	bytes []byte
	at    time.Time
}

// run passes on until one end is gone, and tells the other.
func (w *way) run(to, from net.Conn) {
	defer close(w.done)
	pieces := make(chan piece, 256)
	go func() {
		defer close(pieces)
		for {
			b := make([]byte, 2<<10)
			n, err := from.Read(b)
			if n > 0 {
				pieces <- piece{b[:n], time.Now()}
			}
			if err != nil {
				return
			}
		}
	}()
	broken := false
	for next := range pieces {
		broken = broken || !w.write(to, next)
	}
	w.fair()
	_ = to.Close() // with FIN, behind what was written
	reset(from)
}

// write reports whether the piece went through.
func (w *way) write(to net.Conn, next piece) bool {
	for b := next.bytes; len(b) > 0; {
		weather := w.fair()
		w.wait(time.Until(next.at.Add(weather.Delay)))
		n := len(b)
		if weather.Segment > 0 {
			n = min(n, weather.Segment)
		}
		if weather.Rate > 0 {
			n = min(n, 256)
			w.wait(time.Duration(n) * time.Second / time.Duration(weather.Rate))
		}
		if _, err := to.Write(b[:n]); err != nil {
			reset(to)
			return false
		}
		b = b[n:]
	}
	return true
}

// fair waits while the direction is held, and returns its weather.
func (w *way) fair() Weather {
	for {
		weather, changed := w.now()
		if !weather.Hold {
			return weather
		}
		<-changed
	}
}

// wait waits for d, or until the weather changes.
func (w *way) wait(d time.Duration) {
	if d <= 0 {
		return
	}
	_, changed := w.now()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-changed:
	}
}
