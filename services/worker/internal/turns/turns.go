// Package turns is a fair semaphore: it shares a number of places among users so that a user
// with many calls does not make others wait. A user holds at most half of the places, and
// free places are given to waiting users in turn, not in the order of their calls.
package turns

import (
	"context"
	"slices"
	"sync"
)

// Pool is a number of places. It is safe for concurrent use.
type Pool struct {
	perUser int // most places of one user

	mu      sync.Mutex
	free    int
	held    map[string]int
	waiting map[string][]chan struct{} // calls that wait, by user, the oldest first
	order   []string                   // users with waiting calls, the next one first
}

// New makes a pool with that number of places; less than one counts as one.
func New(places int) *Pool {
	places = max(places, 1)
	return &Pool{perUser: max(places/2, 1), free: places, held: map[string]int{}, waiting: map[string][]chan struct{}{}}
}

// Acquire waits until a user gets a place, which the caller must Release. An error is ctx's;
// then there is nothing to release.
func (p *Pool) Acquire(ctx context.Context, user string) error {
	p.mu.Lock()
	if p.free > 0 && p.held[user] < p.perUser {
		p.give(user)
		p.mu.Unlock()
		return nil
	}
	turn := make(chan struct{})
	if len(p.waiting[user]) == 0 {
		p.order = append(p.order, user)
	}
	p.waiting[user] = append(p.waiting[user], turn)
	p.mu.Unlock()
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
		p.mu.Lock()
		defer p.mu.Unlock()
		select {
		case <-turn: // the place came at the same time: give it to the next
			p.release(user)
		default:
			p.leave(user, turn)
		}
		return ctx.Err()
	}
}

// Release returns a user's place to the pool.
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
		turn := p.waiting[next][0]
		p.waiting[next] = p.waiting[next][1:]
		p.order = slices.Delete(p.order, i, i+1)
		if len(p.waiting[next]) > 0 {
			p.order = append(p.order, next)
		} else {
			delete(p.waiting, next)
		}
		p.give(next)
		close(turn)
	}
}

// leave removes a waiting call.
func (p *Pool) leave(user string, turn chan struct{}) {
	rest := slices.DeleteFunc(p.waiting[user], func(c chan struct{}) bool { return c == turn })
	if len(rest) > 0 {
		p.waiting[user] = rest
		return
	}
	delete(p.waiting, user)
	p.order = slices.DeleteFunc(p.order, func(u string) bool { return u == user })
}
