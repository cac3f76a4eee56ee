// Package turns shares a number of places among users, so that one who wants many
// makes no other wait: a user holds at most half of the places, and a place that
// becomes free goes to the next user in turn, not to the next in line.
package turns

import (
	"context"
	"slices"
	"sync"
)

// Pool is safe for concurrent use.
type Pool struct {
	perUser int

	mu    sync.Mutex
	free  int
	held  map[string]int
	lines map[string][]chan struct{} // who waits, by user, in the order of coming
	order []string                   // users with a line, the next one first
}

// New makes a pool of so many places, at least one.
func New(places int) *Pool {
	places = max(places, 1)
	return &Pool{perUser: max(places/2, 1), free: places, held: map[string]int{}, lines: map[string][]chan struct{}{}}
}

// Take waits for a place for a user. The error is the context's, and then there is
// nothing to give back.
func (p *Pool) Take(ctx context.Context, user string) error {
	p.mu.Lock()
	if p.free > 0 && p.held[user] < p.perUser {
		p.give(user)
		p.mu.Unlock()
		return nil
	}
	turn := make(chan struct{})
	if len(p.lines[user]) == 0 {
		p.order = append(p.order, user)
	}
	p.lines[user] = append(p.lines[user], turn)
	p.mu.Unlock()
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
		p.mu.Lock()
		defer p.mu.Unlock()
		select {
		case <-turn: // it came at the same time: it goes to the next
			p.release(user)
		default:
			p.leave(user, turn)
		}
		return ctx.Err()
	}
}

// Release gives a user's place back.
func (p *Pool) Release(user string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.release(user)
}

func (p *Pool) give(user string) {
	p.free--
	p.held[user]++
}

func (p *Pool) release(user string) {
	p.free++
	if p.held[user]--; p.held[user] <= 0 {
		delete(p.held, user)
	}
	for p.free > 0 {
		i := slices.IndexFunc(p.order, func(u string) bool { return p.held[u] < p.perUser })
		if i < 0 {
			return
		}
		next := p.order[i]
		turn := p.lines[next][0]
		p.lines[next] = p.lines[next][1:]
		p.order = slices.Delete(p.order, i, i+1)
		if len(p.lines[next]) > 0 {
			p.order = append(p.order, next)
		} else {
			delete(p.lines, next)
		}
		p.give(next)
		close(turn)
	}
}

// leave takes somebody out of the line.
func (p *Pool) leave(user string, turn chan struct{}) {
	line := slices.DeleteFunc(p.lines[user], func(c chan struct{}) bool { return c == turn })
	if len(line) > 0 {
		p.lines[user] = line
		return
	}
	delete(p.lines, user)
	p.order = slices.DeleteFunc(p.order, func(u string) bool { return u == user })
}
