package continuity

import "belfry/pkg/protocol"

// maxRefused bounds the workers remembered as refused, a shard. Each names a
// process; one that is gone never comes back.
const maxRefused = 1024

// accept holds a reign against the fence and lets the highest pass. asked says that the message is the
// first of a new reign, so that its numbers are known to begin.
func (c *Core) accept(s *shard, r protocol.Reign, asked bool) bool {
	if s.known && r.Before(s.reign) {
		c.refuse(s, r)
		return false
	}
	if !s.known || r != s.reign {
		c.crown(s, r, asked)
	}
	s.heard = c.clock
	return true
}

// crown accepts a higher reign. Over an unbroken link that is no gap: the
// numbers begin anew, and nothing that was acked is behind us. After a lost
// link nothing proves that the old reign's last messages came. And a reign that
// has ended its flood without having this gateway in its directory may have
// acked what the members here are owed.
func (c *Core) crown(s *shard, r protocol.Reign, asked bool) {
	if s.broken {
		s.owe(CauseLink)
	}
	if s.known && s.routed && !s.served {
		s.owe(CauseUnserved)
	}
	if _, refused := s.stale[r.Worker]; refused || len(s.stale) >= maxRefused {
		// What it sent meanwhile was dropped here, and may have been acked
		// because of others.
		delete(s.stale, r.Worker)
		s.owe(CauseStale)
	}
	if s.gapped && c.clock-s.gapAt < c.o.Remember {
		// What was missed may come now, after what followed it.
		s.owe(CauseLate)
	}
	s.gapped = false
	s.past = past{s.reign, s.direct.last, s.flood.last}
	whole := asked || !s.broken
	// A gateway that comes late into a flood declares a gap, to nobody or few: it
	// cannot tell that from a flood which its full queue refused.
	s.flood = counter{known: asked || whole}
	s.direct = counter{known: whole}
	s.reign, s.known, s.served, s.routed = r, true, false, false
}

// refuse drops what comes from a lower reign and tells its worker.
func (c *Core) refuse(s *shard, r protocol.Reign) {
	c.stats.Stale++
	told, before := s.stale[r.Worker]
	if before && c.clock-told < c.o.StaleEvery {
		return
	}
	if !before && len(s.stale) >= maxRefused {
		return // crown takes every worker for a refused one now
	}
	s.stale[r.Worker] = c.clock
	c.effects = append(c.effects, Effect{Kind: EffectStale, Shard: r.Shard, Stale: protocol.Stale{
		Gateway: c.o.Gateway, Refused: r, Highest: s.reign,
	}})
}

// holds reports that a batch of the reign before was seen: the broker delivers
// it again.
func (p past) holds(b protocol.Batch) bool {
	if b.Reign != p.reign || p.reign.Worker == "" {
		return false
	}
	if b.Mode == protocol.ModeFlood {
		return b.Sequence <= p.flood
	}
	return b.Sequence <= p.direct
}
