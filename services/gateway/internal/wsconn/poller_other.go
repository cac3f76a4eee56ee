//go:build !linux

package wsconn

// Poller is for Linux alone. Elsewhere each connection has a goroutine that reads.
type Poller struct{}

// NewPoller makes a poller in which no connection waits.
func NewPoller() *Poller { return &Poller{} }

// Open does nothing.
func (p *Poller) Open() error { return nil }

// Close does nothing.
func (p *Poller) Close() error { return nil }

func (p *Poller) open() bool { return false }

func (p *Poller) add(*Conn) bool { return false }

func (p *Poller) remove(*Conn) {}
