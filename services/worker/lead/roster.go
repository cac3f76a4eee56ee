package lead

import (
	"maps"
	"slices"
	"time"

	"belfry/pkg/eventlog"
)

// Roster knows the gateways there are, and finds out which died. Every worker has one,
// because the one that leads next must know them, too: a gateway speaks to all workers
// when it starts. It is deterministic, as Machine is.
type Roster struct {
	leads    bool
	gateways map[string]*known
	effects  []Effect
}

// known is a gateway that has spoken.
type known struct {
	quiet time.Duration // since its last word, or since this worker leads
	probe time.Duration // since it was probed
}

const (
	// probeEvery is the pause between two looks whether the queue of a silent gateway is
	// still there: it goes when it was unused for a minute.
	probeEvery = 10 * time.Second
	// mostGateways bounds the gateways remembered.
	mostGateways = 4096
)

type (
	// Probe publishes a claim to a gateway; the driver calls Unroutable when there is no
	// queue for it.
	Probe struct{ Gateway string }

	// GatewayLost tells the world that a gateway has died.
	GatewayLost struct{ Gateway string }
)

func (Probe) effect()       {}
func (GatewayLost) effect() {}

// NewRoster makes an empty one.
func NewRoster() *Roster { return &Roster{gateways: map[string]*known{}} }

// Effects returns what is to be done since the last call, in order.
func (r *Roster) Effects() []Effect {
	all := r.effects
	r.effects = nil
	return all
}

// Heard is a word of a gateway.
func (r *Roster) Heard(gateway string) {
	if g := r.gateways[gateway]; g != nil {
		g.quiet = 0
	} else if len(r.gateways) < mostGateways {
		r.gateways[gateway] = &known{}
	}
}

// Bye says that a gateway stops in order, or that another worker has told its death.
func (r *Roster) Bye(gateway string) { delete(r.gateways, gateway) }

// Unroutable says that a gateway has no queue. One that was silent for long has died.
func (r *Roster) Unroutable(gateway string) {
	g := r.gateways[gateway]
	if g == nil || !r.leads || g.quiet < gatewayGone {
		return
	}
	delete(r.gateways, gateway)
	r.effects = append(r.effects,
		GatewayLost{Gateway: gateway}, SendAll{Message: eventlog.Bye{Gateway: gateway}})
}

// Tick lets time pass, a second at most. Only who leads judges silence, and begins anew
// when that begins: gateways speak to the leader.
func (r *Roster) Tick(d time.Duration, leads bool) {
	d = min(d, mostOfOneTick)
	begins := leads && !r.leads
	r.leads = leads
	if !leads {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(r.gateways)) {
		g := r.gateways[name]
		if begins {
			g.quiet, g.probe = 0, 0
			continue
		}
		if g.quiet += d; g.quiet < gatewayGone {
			continue
		}
		if g.probe += d; g.probe >= probeEvery {
			g.probe = 0
			r.effects = append(r.effects, Probe{Gateway: name})
		}
	}
}
