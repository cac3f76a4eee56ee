package following

import (
	"context"
	"errors"
	"fmt"

	"belfry/pkg/protocol"
	"belfry/services/gateway/follow"
)

// ErrUnavailable says that the groups could not be made active in time. Nothing has
// changed.
var ErrUnavailable = errors.New("the groups could not be made active in time")

// errGone: the connection is not known, or the driver has ended.
var errGone = errors.New("the connection has ended")

// waiter is a connection that waits for an answer.
type waiter struct {
	open   bool // it was asked, and neither answered nor told that it is not available
	answer func()
	told   chan error // capacity 1
}

func (w *waiter) tell(err error) {
	if w.open {
		w.open = false
		w.told <- err
	}
}

// Open makes a connection known. It does not block.
func (d *Driver) Open(id protocol.ConnID) {
	d.inbox.Put(func() {
		d.machine.Open(follow.ConnID(id))
		d.waiting[id] = &waiter{}
	})
}

// Subscribe asks for exactly these groups, each of which the connection may see, and
// waits until all are active: every event whose publish starts after answer was called
// reaches it. answer makes the connection a member and tells it so; it is called before
// Subscribe returns nil, by the goroutine that delivers events, and must not block. On
// an error it was not and will not be called. One call at a time for each connection.
func (d *Driver) Subscribe(ctx context.Context, id protocol.ConnID, groups []protocol.Group, answer func()) error {
	w := &waiter{open: true, answer: answer, told: make(chan error, 1)}
	d.inbox.Put(func() { d.subscribe(id, groups, w) })
	select {
	case err := <-w.told:
		return err
	case <-d.ended:
		return errGone
	case <-ctx.Done():
	}
	d.inbox.Put(func() { d.withdraw(id, w) })
	select {
	case err := <-w.told:
		if err != nil {
			return fmt.Errorf("%w: %w", err, ctx.Err())
		}
		return nil
	case <-d.ended:
		return errGone
	}
}

// Close ends a connection. It does not block.
func (d *Driver) Close(id protocol.ConnID) {
	d.inbox.Put(func() {
		if w := d.waiting[id]; w != nil {
			w.tell(errGone)
			delete(d.waiting, id)
			d.machine.Close(follow.ConnID(id))
		}
	})
}

func (d *Driver) subscribe(id protocol.ConnID, groups []protocol.Group, w *waiter) {
	if d.waiting[id] == nil {
		w.tell(errGone)
		return
	}
	d.waiting[id] = w
	d.machine.Subscribe(follow.ConnID(id), groups, nil)
}

// withdraw ends waiting, where it has not ended already.
func (d *Driver) withdraw(id protocol.ConnID, w *waiter) {
	if w.open {
		d.machine.Withdraw(follow.ConnID(id))
		w.tell(ErrUnavailable)
	}
}

// answered does what the machine says of a connection: it is a member now, or not.
func (d *Driver) answered(id follow.ConnID, err error) {
	w := d.waiting[protocol.ConnID(id)]
	if w == nil || !w.open {
		return
	}
	if err == nil {
		w.answer()
	}
	w.tell(err)
}
