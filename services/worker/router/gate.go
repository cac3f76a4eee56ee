package router

import "sync/atomic"

// gate tells whether a consumer is open.
type gate struct{ is atomic.Bool }

func (g *gate) set(open bool) { g.is.Store(open) }
func (g *gate) open() bool    { return g.is.Load() }
